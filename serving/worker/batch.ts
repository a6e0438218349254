import type { Port, Tensors } from '../core/model.ts';
import { bytesOf, isTexts, typeOf, type Numbers, type Tensor } from '../core/tensors.ts';
import type { Manifest, OpenBundle } from './bundle.ts';

/** A run may take longer than this, in milliseconds, and then nothing is gained by joining requests. */
const SLOW = 50;
const NOT_SO_FAST = 5;

/** The size that is the first of all inputs and outputs, and stands nowhere else. */
function batchSymbol(m: Manifest): { readonly name: string; readonly lo: number; readonly hi: number } | undefined {
  const ports = [...m.inputs, ...m.outputs];
  const name = ports[0]?.shape[0];
  const s = m.symbols.find(x => x.name === name);
  if (!s || s.lo > 1) return undefined;
  const alone = (p: Port): boolean =>
    p.shape[0] === s.name && p.type !== 'string' && p.shape.slice(1).every(d => typeof d === 'number' || !mentions(d, s.name));
  return ports.every(alone) ? s : undefined;
}
const mentions = (dim: string, symbol: string): boolean => dim.split(/\W+/).includes(symbol);

/**
 * How many rows may be run together: undefined where the shapes do not say that rows are independent, or where rows that are run
 * together give other bits than each alone, or where a run takes so long that nothing is gained.
 */
export function maxBatchOf(b: OpenBundle, sample: (rows: number) => Tensors, limit: number): number | undefined {
  const s = batchSymbol(b.manifest);
  const most = Math.min(limit, s?.hi ?? 1);
  if (!s || most < 2) return undefined;
  b.run(sample(1));
  const start = performance.now();
  b.run(sample(1));
  const ms = performance.now() - start;
  if (ms > SLOW) return undefined;
  const rows = Math.min(most, ms > NOT_SO_FAST ? 3 : 37);
  const inputs = sample(rows);
  const together = copied(b.run(inputs));
  for (let r = 0; r < rows; r++) {
    const alone = b.run(rowsFrom(inputs, r, 1));
    const part = rowsFrom(together, r, 1);
    for (const name in alone) if (!sameBits(alone[name], part[name])) return undefined;
  }
  return most;
}
export const copied = (o: Tensors): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(o).map(([name, t]) => [name, { ...t, data: t.data.slice(), dims: [...t.dims] }]));
function sameBits(a: Tensor | undefined, b: Tensor | undefined): boolean {
  if (!a || !b || isTexts(a.data) || isTexts(b.data)) return false;
  return Buffer.compare(bytesOf(a.data), bytesOf(b.data)) === 0;
}
/** Some rows of tensors, as views. */
export function rowsFrom(tensors: Tensors, from: number, count: number): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const name in tensors) {
    const t = tensors[name];
    if (!t) continue;
    const each = t.data.length / Math.max(1, t.dims[0] ?? 1);
    const data = isTexts(t.data)
      ? t.data.slice(from * each, (from + count) * each)
      : t.data.subarray(from * each, (from + count) * each);
    out[name] = { type: t.type, dims: [count, ...t.dims.slice(1)], data };
  }
  return out;
}
/** Tensors one below the other; they have the same sizes but the first. */
export function stacked(all: readonly Tensors[], rows: number): Tensors {
  const [first = {}] = all;
  const out: Record<string, Tensor> = {};
  for (const name in first) {
    const head = first[name];
    const { array } = typeOf(head?.type ?? '');
    if (!head || !array) continue;
    const each = head.data.length / Math.max(1, head.dims[0] ?? 1);
    const data = new array(rows * each);
    let at = 0;
    for (const tensors of all) {
      const part = tensors[name]?.data;
      if (!part || isTexts(part)) continue;
      // Of the same type: they were made for the same input.
      data.set(part as never, at);
      at += part.length;
    }
    out[name] = { type: head.type, dims: [rows, ...head.dims.slice(1)], data: data satisfies Numbers };
  }
  return out;
}
/** The same for tensors that may be joined: all sizes but the first. */
export function shapeKey(tensors: Tensors): string {
  let key = '';
  for (const name in tensors) key += `${name}:${tensors[name]?.dims.slice(1).join() ?? ''};`;
  return key;
}
