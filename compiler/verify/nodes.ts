import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, showLoc } from '../core/diagnostic.ts';
import { dimHi } from '../core/dim.ts';
import { bytesOf } from '../core/dtype.ts';
import { elements, showType } from '../core/shape.ts';
import type { Tensor } from '../core/tensor.ts';
import { compileGraph } from '../compile.ts';
import { makeBundle } from '../bundle/js/index.ts';
import type { Graph } from '../graph/graph.ts';
import type { Profile } from '../target/profile.ts';
import { graphPasses, runPasses } from '../passes/index.ts';
import { openBundle, type Bundle } from './bundle.ts';
import { compare, departure, type Tolerance } from './compare.ts';
import { resolveTarget } from '../target/resolve.ts';
import type { Original, Reference } from './reference.ts';

/** Values compiled as outputs at a time: their memory, and their number. */
const CHUNK = { bytes: 256e6, values: 400 };
type Named = Original['named'][number];

/**
 * Finds where a bundle leaves the original: compiles the model again with the values inside it as outputs, some at a time, and
 * compares each with the reference. Where every value agrees on its own, what is at fault is done to several at once: then the passes
 * are tried one after the other. Gives a text for people.
 */
export async function findDeparture(
  bundle: Bundle,
  original: Original,
  ref: Reference,
  inputs: ReadonlyMap<string, Tensor>,
  tol: Tolerance,
): Promise<string> {
  const own = bundle.manifest.profiles[bundle.profile];
  // What is inside a model is looked at in WebAssembly, whose kernels are those of C.
  const profile = own?.emit === 'wasm' ? own : must(resolveTarget('wasm-simd').profiles[0]);
  let worst: { readonly v: Named; readonly by: number } | undefined;
  let seen = 0;
  for (const part of chunks(original.named)) {
    const want = await ref.values(
      part.map(v => v.name),
      inputs,
    );
    const graph: Graph = { ...original.graph, outputs: part };
    const got = await runGraph(graph, profile, inputs, g => runPasses(g, profile));
    for (const v of part) {
      const [g, w] = [got.get(v.name), want.get(v.name)];
      if (!g || !w) continue;
      seen++;
      const by = departure(g, w);
      if (by > tol.rtol) return firstText(v, by, g, w, tol);
      if (!worst || by > worst.by) worst = { v, by };
    }
  }
  const most = worst ? `; the furthest is ${where(worst.v)} by ${worst.by.toExponential(2)}` : '';
  const calm = `each of ${seen} values inside the model agrees on its own${most}\n`;
  const want = await ref.run(inputs);
  const differs = (got: ReadonlyMap<string, Tensor>): boolean =>
    [...want].some(([name, w]) => {
      const g = got.get(name);
      return g !== undefined && !compare(g, w, tol).ok;
    });
  if (!differs(bundle.run(inputs))) return calm;
  return calm + (await guiltyPass(original.graph, profile, inputs, differs));
}
function* chunks(all: readonly Named[]): Generator<{ name: string; value: Named['value'] }[]> {
  let part: Named[] = [];
  let bytes = 0;
  for (const v of all) {
    const size = dimHi(elements(v.value.type)) * bytesOf(v.value.type.dtype);
    if (part.length > 0 && (bytes + size > CHUNK.bytes || part.length >= CHUNK.values)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(v);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
const where = (v: Named): string => {
  const { def } = v.value;
  return `'${v.name}'${def.k === 'node' ? ` of ${showLoc(def.loc)}` : ''}`;
};
function firstText(v: Named, by: number, got: Tensor, want: Tensor, tol: Tolerance): string {
  const d = compare(got, want, tol);
  return (
    `the first value that departs is ${where(v)}, ${showType(v.value.type)}: by ${by.toExponential(2)} of its largest, ` +
    `${d.why ?? `${d.got} instead of ${d.want} at element ${d.at ?? 0}`}. All before it agree.\n`
  );
}

/** Compiles a graph and runs it by the loader, from a temporary folder. */
async function runGraph(
  graph: Graph,
  profile: Profile,
  inputs: ReadonlyMap<string, Tensor>,
  passes: (g: Graph) => Graph,
): Promise<Map<string, Tensor>> {
  const module = await compileGraph(passes(graph), profile);
  const files = await makeBundle({
    modules: [module],
    target: profile.name,
    source: { file: graph.name, bytes: 0, sha256: '' },
    operators: { before: 0, after: 0 },
    macs: undefined,
    passes: [],
    options: {},
  });
  const dir = mkdtempSync(join(tmpdir(), 'sinter-verify-'));
  try {
    for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
    return (await openBundle(dir)).run(inputs);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The pass after which the outputs differ: the passes are applied up to half, and so on. */
async function guiltyPass(
  graph: Graph,
  profile: Profile,
  inputs: ReadonlyMap<string, Tensor>,
  differs: (got: ReadonlyMap<string, Tensor>) => boolean,
): Promise<string> {
  const passes = graphPasses(profile);
  const after = async (n: number): Promise<boolean> =>
    differs(await runGraph(graph, profile, inputs, g => passes.slice(0, n).reduce((x, p) => p.run(x, { profile }), g)));
  if (await after(0)) return 'they differ without any pass too: lowering or fusion is at fault\n';
  let [good, bad] = [0, passes.length];
  if (!(await after(bad))) return 'compiled anew they agree: was the bundle made by another version?\n';
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (await after(middle)) bad = middle;
    else good = middle;
  }
  return `they differ from the pass '${must(passes[bad - 1]).name}' on, the ${bad}th of ${passes.length}\n`;
}
