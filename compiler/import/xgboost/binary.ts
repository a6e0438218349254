import { cursor, damaged, f32, i32, left, skip, take, textOf, u32, u64, type Cursor } from '../shared/cursor.ts';
import { before, type Version, type XgbLinear, type XgbModel, type XgbTree, type XgbTrees } from './records.ts';

/** Bytes of the records of the format, as they were fixed before 1.0: parts that are not used are reserved. */
const LEARNER = 136;
const GBTREE = 160;
const LINEAR = 136;
const TREE = 148;
const NODE = 20;
const STAT = 16;
const MAX_NAME = 1024;

/**
 * The binary form of 0.90 to 3.0, with or without `binf` before it; also with a JSON configuration behind it, as the snapshots in
 * pickles of 1.0 to 1.2 have. What follows the attributes (names of metrics, parameters of training) is not read.
 * E203: cut off, counts beyond the file, no such booster.
 */
export function decodeBinary(bytes: Uint8Array, file: string): XgbModel {
  const c = cursor(bytes, file, 'header');
  if (textOf(bytes.subarray(0, 4)) === 'binf') skip(c, 4);
  const start = c.at;
  const base = f32(c);
  const numFeature = u32(c);
  const numClass = i32(c);
  const extra = i32(c);
  i32(c);
  const major = u32(c);
  const minor = u32(c);
  // Since 2.0; zero before.
  const numTarget = u32(c);
  c.at = start;
  skip(c, LEARNER);
  const objective = name(c, 'objective');
  const kind = name(c, 'booster');
  const version: Version = major === 0 ? [0, 90, 0] : [major, minor, 0];
  if (numClass < 0) damaged(c, `${numClass} classes`);
  const booster =
    kind === 'gblinear'
      ? linear(c)
      : kind === 'gbtree' || kind === 'dart'
        ? trees(c, kind, version)
        : damaged(c, `'${kind}' is no booster`);
  c.what = 'attributes';
  return {
    version,
    objective,
    numFeature,
    numClass,
    numTarget: Math.max(1, numTarget),
    baseScore: [base],
    booster,
    attributes: extra === 0 ? new Map() : attributes(c),
    featureNames: [],
    featureTypes: [],
  };
}
/** Whether bytes without `binf` before them begin as this form does: a learner record and then two names. */
export function looksBinary(bytes: Uint8Array): boolean {
  if (bytes.length < LEARNER + 16) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = textOf(bytes.subarray(0, 4)) === 'binf' ? LEARNER + 4 : LEARNER;
  const n = view.getUint32(at, true);
  if (view.getUint32(at + 4, true) !== 0 || n === 0 || n > 64 || at + 8 + n > bytes.length) return false;
  return /^[a-z]+:[\w]+$/.test(textOf(bytes.subarray(at + 8, at + 8 + n)));
}
function name(c: Cursor, what: string): string {
  c.what = what;
  const n = u64(c);
  return n <= MAX_NAME ? textOf(take(c, n)) : damaged(c, `a name of ${n} bytes`);
}
function floats(c: Cursor, n: number): Float32Array {
  const at = skip(c, n * 4);
  return Float32Array.from({ length: n }, (_, i) => c.view.getFloat32(at + i * 4, true));
}
/** How many records of `size` bytes follow, which the file must be able to hold. */
function counted(c: Cursor, n: number, size: number, what: string): number {
  return n >= 0 && n * size <= left(c) ? n : damaged(c, `${n} ${what} are announced where ${left(c)} bytes are left`);
}
function linear(c: Cursor): XgbLinear {
  c.what = 'gblinear';
  skip(c, LINEAR);
  return { k: 'linear', weights: floats(c, counted(c, u64(c), 4, 'weights')) };
}
function trees(c: Cursor, kind: 'gbtree' | 'dart', version: Version): XgbTrees {
  c.what = 'gbtree';
  const start = c.at;
  const announced = i32(c);
  // The number of roots, which is 1, before 1.4.
  const parallel = i32(c);
  c.at = start;
  skip(c, GBTREE);
  const n = counted(c, announced, TREE, 'trees');
  const all: XgbTree[] = [];
  for (let i = 0; i < n; i++) all.push(tree(c, i));
  c.what = 'tree_info';
  const info = Array.from({ length: counted(c, n, 4, 'groups') }, () => i32(c));
  c.what = 'weight_drop';
  return {
    k: 'trees',
    trees: all,
    treeInfo: info,
    rounds: undefined,
    parallelTrees: before(version, 1, 4) ? undefined : Math.max(1, parallel),
    weights: kind === 'gbtree' ? undefined : n === 0 ? new Float32Array(0) : floats(c, counted(c, u64(c), 4, 'weights')),
    recoded: false,
  };
}
function tree(c: Cursor, i: number): XgbTree {
  c.what = `tree ${i}`;
  const start = c.at;
  i32(c);
  const announced = i32(c);
  c.at = start + 20;
  const leafVector = i32(c);
  c.at = start;
  skip(c, TREE);
  const n = counted(c, announced, NODE + STAT, 'nodes');
  if (n === 0) damaged(c, 'it has no nodes');
  if (leafVector > 1 || leafVector < 0) damaged(c, `leaves of ${leafVector} values, which this form never held`);
  const nodes = skip(c, n * NODE);
  const stats = skip(c, n * STAT);
  const ints = (offset: number): Int32Array =>
    Int32Array.from({ length: n }, (_, k) => c.view.getInt32(nodes + k * NODE + offset, true));
  const split = ints(12);
  return {
    left: ints(4),
    right: ints(8),
    feature: split.map(s => s & 0x7fffffff),
    defaultLeft: Uint8Array.from(split, s => s >>> 31),
    condition: Float32Array.from({ length: n }, (_, k) => c.view.getFloat32(nodes + k * NODE + 16, true)),
    hessian: Float32Array.from({ length: n }, (_, k) => c.view.getFloat32(stats + k * STAT + 4, true)),
    categories: undefined,
    vectors: undefined,
  };
}
function attributes(c: Cursor): ReadonlyMap<string, string> {
  const n = counted(c, u64(c), 16, 'attributes');
  const out = new Map<string, string>();
  for (let i = 0; i < n; i++) {
    const key = textOf(take(c, u64(c)));
    out.set(key, textOf(take(c, u64(c))));
  }
  return out;
}
