import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { writeNpy } from '../../compiler/data/npy.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped } from '../../compiler/core/tensor.ts';
import { modules, needs } from '../needs.ts';
import { bike, bundle, folder, indexOf, real, removeFolders, rows, type Case } from './faces.ts';

// A bundle as a Python package: a fresh virtual environment that has NumPy and nothing else, and no network.
jest.setTimeout(60_000);
afterAll(removeFolders);

const python = (args: readonly string[], cwd: string, command = 'python3'): string => {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 28, env: { PATH: process.env['PATH'] } });
  if (r.error) throw r.error;
  expect(r.stderr).toBe('');
  return r.stdout.trim();
};
const CASES: readonly (() => Case & { readonly python: string })[] = [
  () => ({
    name: 'trees',
    python: 'bike_model',
    options: { model: bike, file: 'bike.json' },
    inputs: () => [{ features: { data: rows, dims: [64, 13] } }],
  }),
  () => ({ ...real('silero-vad'), python: 'silero_vad_model' }),
];

needs('cc', 'make', modules('numpy', 'venv', 'pip')).describe('a bundle that pip installs', () => {
  let venv = '';
  const interpreter = (): string => join(venv, 'bin/python');
  beforeAll(() => {
    venv = join(folder(), 'venv');
    python(['-m', 'venv', '--without-pip', venv], '/');
    // NumPy alone, from where the system has it.
    const from = dirname(dirname(python(['-c', 'import numpy; print(numpy.__file__)'], '/')));
    const to = python(['-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])'], '/', interpreter());
    for (const f of ['numpy', 'numpy.libs']) if (existsSync(join(from, f))) symlinkSync(join(from, f), join(to, f));
  });

  it.each(CASES.map(c => c()))('gives the arrays that JavaScript gets natively and in WebAssembly: $name', async c => {
    const dir = await bundle({ ...c.options, target: 'linux-x64-v2' });
    const faces = [dir, await bundle({ ...c.options, target: 'wasm-simd' })];
    const install = ['-m', 'pip', '--python', interpreter(), 'install', '--no-index', '--no-deps', '--quiet', dir];
    python([...install, '--disable-pip-version-check', '--no-cache-dir'], '/');
    const work = folder();
    for (const given of c.inputs()) {
      const outputs = await Promise.all(faces.map(async f => (await (await indexOf(f)).load()).run(given)));
      const [native, wasm] = outputs.map(o =>
        Object.entries(o).map(
          ([k, t]) =>
            `${k} ${t.type} [${t.dims.join(', ')}] ${Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength).toString('hex')}`,
        ),
      );
      Object.values(given as Record<string, { data: Float32Array | BigInt64Array; dims: number[] }>).forEach(
        ({ data, dims }, i) => {
          const dtype = data instanceof BigInt64Array ? 'i64' : 'f32';
          writeFileSync(join(work, `${i}.npy`), writeNpy(fromTyped(dtype, dims, data)));
        },
      );
      const script = `import numpy as np, ${c.python} as model
names = ${JSON.stringify(Object.keys(given))}
for name, a in model.run(**{n: np.load("%d.npy" % i) for i, n in enumerate(names)}).items():
    print(name, a.dtype, list(a.shape), a.tobytes().hex())`;
      expect(native).toEqual(wasm);
      expect(python(['-c', script], work, interpreter()).split('\n')).toEqual(wasm);
    }
  });
  it('builds its library where it is not there, the same wheel each time, and says so where it cannot', async () => {
    const dir = await bundle({ model: bike, file: 'bike.json', target: 'c-portable' });
    const wheel = (): string => {
      const script = 'import build_wheel as b, hashlib; print(hashlib.sha256(open(b.build_wheel("."), "rb").read()).hexdigest())';
      return must(python(['-B', '-c', script], dir, interpreter()).split('\n').at(-1));
    };
    const first = wheel();
    rmSync(join(dir, 'libmodel.so'));
    expect(wheel()).toBe(first);
    expect(readdirSync(dir).filter(f => f.endsWith('.whl'))).toHaveLength(1);
    rmSync(join(dir, 'libmodel.so'));
    writeFileSync(join(dir, 'model.c'), '#error no compiler\n');
    const r = spawnSync(interpreter(), ['-B', '-c', 'import build_wheel as b; b.build_wheel(".")'], {
      cwd: dir,
      encoding: 'utf8',
    });
    expect(r.stderr).toContain('libmodel.so is not there, and `make libmodel.so` failed');
  });
});
