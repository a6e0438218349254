/**
 * Products of 8-bit integers (MatMulInteger) and of floats against onnxruntime-node, in sizes of transformers: `npm run bench -- int8
 * [--target NAME]… [options of sinter bench]`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomTensor } from '../../compiler/core/random.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { model, node, sub, tensor, value, type Part } from '../../test/onnx-writer.ts';

/** ONNX's numbers of element types. */
const TYPES = { f32: 1, u8: 2, i8: 3, i32: 6 } as const;
const SIZES = [
  [1, 1024, 1024],
  [8, 384, 1536],
  [128, 384, 1536],
  [128, 1024, 1024],
] as const;
const initializer = (name: string, type: 'f32' | 'u8' | 'i8', t: Tensor): Part =>
  sub(5, tensor({ name, dims: t.dims, type: TYPES[type], raw: t.bytes }));

const dir = mkdtempSync(join(tmpdir(), 'sinter-int8-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const files = SIZES.flatMap(([m, k, n]) => {
  const ports = (x: number, y: number): Part[] => [value(11, 'x', x, [m, k]), value(12, 'y', y, [m, n])];
  const integers = model([
    initializer('w', 'i8', randomTensor('i8', [k, n], 5, -63, 63)),
    initializer('z', 'u8', randomTensor('u8', [], 1, 128, 128)),
    node('MatMulInteger', ['x', 'w', 'z'], ['y']),
    ...ports(TYPES.u8, TYPES.i32),
  ]);
  const w = initializer('w', 'f32', randomTensor('f32', [k, n], 5));
  const floats = model([w, node('MatMul', ['x', 'w'], ['y']), ...ports(TYPES.f32, TYPES.f32)]);
  return Object.entries({ int8: integers, f32: floats }).map(([type, bytes]) => {
    const file = join(dir, `${type}-${m}x${k}x${n}.onnx`);
    writeFileSync(file, bytes);
    return file;
  });
});
const given = process.argv.slice(2);
const target = given.includes('--target') ? [] : ['--target', 'linux-x64-v4'];
const main = join(projectDir, 'compiler', 'cli', 'main.ts');
const args = ['--import', 'tsx', main, 'bench', ...files, ...target, '--against', 'onnxruntime-node', ...given];
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
