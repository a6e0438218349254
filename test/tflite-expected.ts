import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { integerCases } from './tflite-cases.ts';
import { runsCases } from './tflite-runs.ts';
import { writeTflite, type ModelSpec } from './tflite-writer.ts';

/**
 * Asks LiteRT anew: `npx tsx test/tflite-expected.ts PYTHON`, a Python with ai-edge-litert, writes `test/import/tflite-integers.json` and
 * `test/import/tflite-runs.json`.
 */
const [python = 'python3'] = process.argv.slice(2);
function ask(
  file: string,
  cases: readonly { readonly name: string; readonly model: ModelSpec; readonly inputs: unknown }[],
): void {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-tflite-'));
  for (const c of cases) writeFileSync(join(folder, `${c.name}.tflite`), writeTflite(c.model));
  writeFileSync(join(folder, 'inputs.json'), JSON.stringify(Object.fromEntries(cases.map(c => [c.name, c.inputs]))));
  execFileSync(python, ['test/tflite-oracle.py', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  const outputs = JSON.parse(readFileSync(join(folder, 'outputs.json'), 'utf8')) as Record<string, unknown>;
  const lines = Object.entries(outputs).map(([name, o]) => `  ${JSON.stringify(name)}: ${JSON.stringify(o)}`);
  writeFileSync(`test/import/${file}`, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${file}: ${lines.length} of ${cases.length} cases\n`);
}
ask(
  'tflite-integers.json',
  integerCases().map(({ name, graph, inputs }) => ({ name, model: { graphs: [graph] }, inputs })),
);
ask(
  'tflite-runs.json',
  runsCases().map(({ name, model, runs }) => ({ name, model, inputs: runs })),
);
