import { join } from 'node:path';
import type { Tensor } from '../core/tensor.ts';
import { makeInputs } from '../run/inputs.ts';
import { openBundle } from '../run/bundle.ts';
import type { Manifest } from '../run/manifest.ts';
import { writeFile } from '../host/files.ts';
import { writeNpy } from '../data/npy.ts';
import { runKernelFile } from './kernel-file.ts';
import { summary } from './summary.ts';
import { showMs } from '../core/format.ts';
import { UsageError, type Terminal } from './terminal.ts';

interface RunFlags {
  readonly input: readonly string[];
  readonly out?: string;
  readonly threads?: number;
}

/** `sinter run BUNDLE`, and `sinter run FILE.kernel` for people who work on the compiler. */
export async function runBundleCommand(bundle: string, o: RunFlags, t: Terminal): Promise<void> {
  if (bundle.endsWith('.kernel')) {
    if (o.out !== undefined) throw new UsageError('--out is for bundles');
    runKernelFile(bundle, o.input, t);
    return;
  }
  const b = await openBundle(bundle, o.threads);
  const inputs = makeInputs(b.manifest, o.input, { note: text => t.err(`${text}\n`) });
  const parts = partsOf(b.manifest, inputs);
  const start = performance.now();
  const results = parts.map(p => b.run(p));
  const runs = parts.length === 1 ? 'the first run' : `${parts.length} runs of as many rows as the bundle takes`;
  t.err(`${b.manifest.name} (${b.profile}): ${showMs(performance.now() - start)} for ${runs}\n`);
  const outputs = joined(results);
  for (const [name, x] of outputs) t.out(summary(name, x));
  if (o.out !== undefined) for (const [file, x] of fileNames(outputs)) writeFile(join(o.out, file), writeNpy(x));
}

/** Rows of features in as many parts as the bundle's largest batch makes necessary. */
function partsOf(m: Manifest, inputs: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>[] {
  const batch = m.inputs.find(p => p.name === m.rows?.input)?.shape[0];
  const rows = inputs.get(m.rows?.input ?? '');
  const most = m.symbols.find(s => s.name === batch)?.hi;
  const n = rows?.dims[0] ?? 0;
  if (!m.rows || !rows || most === undefined || n <= most || inputs.size !== 1) return [inputs];
  const { input } = m.rows;
  const size = rows.bytes.length / n;
  return Array.from({ length: Math.ceil(n / most) }, (_, i) => {
    const [from, to] = [i * most, Math.min(n, (i + 1) * most)];
    const part: Tensor = { ...rows, dims: [to - from, ...rows.dims.slice(1)], bytes: rows.bytes.slice(from * size, to * size) };
    return new Map([[input, part]]);
  });
}
/** Outputs of several runs, one after the other along the first axis. */
function joined(results: readonly ReadonlyMap<string, Tensor>[]): ReadonlyMap<string, Tensor> {
  const [first] = results;
  if (!first || results.length === 1) return first ?? new Map<string, Tensor>();
  const out = new Map<string, Tensor>();
  for (const [name, t] of first) {
    const parts = results.flatMap(r => r.get(name) ?? []);
    const bytes = new Uint8Array(parts.reduce((n, p) => n + p.bytes.length, 0));
    let at = 0;
    for (const p of parts) {
      bytes.set(p.bytes, at);
      at += p.bytes.length;
    }
    out.set(name, { ...t, dims: [parts.reduce((n, p) => n + (p.dims[0] ?? 0), 0), ...t.dims.slice(1)], bytes });
  }
  return out;
}

/** A file name for each output; characters that file systems or shells do not like become '_'. */
function fileNames(outputs: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  for (const [name, x] of outputs) {
    const base = name.replace(/[^\w.-]+/g, '_').replace(/^\.+/, '_');
    let file = `${base}.npy`;
    for (let n = 2; out.has(file); n++) file = `${base}_${n}.npy`;
    out.set(file, x);
  }
  return out;
}
