/**
 * Memory on microcontrollers: `npm run bench -- tiny [--python COMMAND]`. Compiles the four networks of MLPerf Tiny's shape, in 8-bit integers, for a
 * Cortex-M4, builds them, runs them on the board that QEMU plays, compares their integers with the evaluator's, and writes docs/microcontrollers.md.
 * Where the Python has tflite-micro, the arena that it asks for stands beside. Needs arm-none-eabi-gcc and qemu-system-arm.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { must } from '../compiler/core/diagnostic.ts';
import { randomTensor } from '../compiler/core/random.ts';
import { toNumbers, typed } from '../compiler/core/tensor.ts';
import { buildLibraries, type NativeBuild } from '../compiler/host/build.ts';
import { compile, evaluate } from '../compiler/node.ts';
import { tinyNetworks } from '../fixtures/networks/network.ts';
import { networkTflite } from '../fixtures/networks/tflite.ts';
import { projectDir } from '../fixtures/paths.ts';
import { onBoard } from '../test/native/board.ts';
import { table } from './results/markdown.ts';

const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } });
const TITLES: Readonly<Record<string, string>> = {
  keywords: 'keyword spotting (DS-CNN, 49x10)',
  pictures: 'image classification (ResNet, 32x32x3)',
  persons: 'visual wake words (MobileNet 0.25, 96x96x3)',
  anomalies: 'anomaly detection (autoencoder, 640)',
};
/** Bytes of the arena that TensorFlow Lite Micro uses of a model on this machine; undefined where it is not installed. */
function arenaOfMicro(file: string): number | undefined {
  const program = `from tflite_micro.python.tflite_micro import runtime
runtime.Interpreter.from_file(${JSON.stringify(file)}, arena_size=1 << 20).print_allocations()`;
  const r = spawnSync(values.python, ['-c', program], { encoding: 'utf8' });
  const found = /Arena allocation total (\d+) bytes/.exec(`${r.stdout}${r.stderr}`)?.[1];
  return found === undefined ? undefined : Number(found);
}
const kb = (bytes: number | undefined): string => (bytes === undefined ? '' : (bytes / 1e3).toFixed(1));

const rows: string[][] = [];
for (const n of tinyNetworks()) {
  const model = networkTflite(n, 'int8');
  const inputs = { x: { dims: [1, ...n.input], data: typed(randomTensor('i8', [1, ...n.input], 7, -128, 127)) } };
  const dir = mkdtempSync(join(tmpdir(), 'sinter-tiny-'));
  try {
    const { files, report } = await compile({ model, file: `${n.name}.tflite`, target: 'cortex-m4' });
    for (const [file, bytes] of files) writeFileSync(join(dir, file), bytes);
    writeFileSync(join(dir, 'model.tflite'), model);
    const manifest = JSON.parse(new TextDecoder().decode(files.get('manifest.json'))) as { readonly native: NativeBuild };
    const built = buildLibraries(dir, manifest.native);
    if ('why' in built) throw new Error(built.why);
    const { flash, ram } = must(built.footprint, 'sizes');
    const run = onBoard(dir, 'mps2-an386', manifest.native, [randomTensor('i8', [1, ...n.input], 7, -128, 127)]);
    const want = must(evaluate({ model, file: 'model.tflite', inputs })['y']);
    const got = [...toNumbers(run.file('y.npy'))];
    const same = got.length === want.data.length && got.every((v, i) => v === Number(want.data[i]));
    if (!same) throw new Error(`${n.name}: the board gives other integers than the evaluator`);
    const weights = report.modules[0]?.weights ?? 0;
    rows.push([TITLES[n.name] ?? n.name, kb(flash), kb(flash - weights), kb(ram), kb(arenaOfMicro(join(dir, 'model.tflite')))]);
    console.log(rows.at(-1)?.join('  '));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
const head = ['network', 'flash, KB', 'of it code', 'RAM, KB', 'arena of TFLite Micro'];
writeFileSync(
  join(projectDir, 'docs', 'microcontrollers.md'),
  `# Microcontrollers

What \`--target cortex-m4\` takes of TensorFlow Lite models in 8-bit integers, besides inputs and outputs: the four networks of MLPerf Tiny's
shape, with random weights. Flash is code, constants and weights; RAM is the arena and the stack, as \`arm-none-eabi-size\` and \`-fstack-usage\`
tell. Each ran on the Cortex-M4 that QEMU plays (mps2-an386), with the integers of the evaluator. TFLite Micro's arena is what its interpreter
uses of the same file on a 64-bit machine, where pointers are twice as long, inputs and outputs included; its code and the model in flash come besides. Made by
\`npm run bench -- tiny\`; do not edit.

${table(head, rows)}`,
);
