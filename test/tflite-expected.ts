import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { integerCases } from './tflite-cases.ts';
import { writeTflite } from './tflite-writer.ts';

/** Asks LiteRT anew: `npx tsx test/tflite-expected.ts PYTHON`, a Python with ai-edge-litert, writes `test/import/tflite-integers.json`. */
const [python = 'python3'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'sinter-tflite-'));
const cases = integerCases();
for (const c of cases) writeFileSync(join(folder, `${c.name}.tflite`), writeTflite({ graphs: [c.graph] }));
writeFileSync(join(folder, 'inputs.json'), JSON.stringify(Object.fromEntries(cases.map(c => [c.name, c.inputs]))));
execFileSync(python, ['test/tflite-oracle.py', folder], { stdio: ['ignore', 'ignore', 'ignore'] });
const outputs = JSON.parse(readFileSync(join(folder, 'outputs.json'), 'utf8')) as Record<string, unknown>;
const lines = Object.entries(outputs).map(([name, o]) => `  ${JSON.stringify(name)}: ${JSON.stringify(o)}`);
writeFileSync('test/import/tflite-integers.json', `{\n${lines.join(',\n')}\n}\n`);
process.stdout.write(`${lines.length} of ${cases.length} cases\n`);
