import type { TreeStats } from '../ops/trees/stats.ts';

/** `612 KB`; units of 1000. */
export function showBytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let x = n;
  let u = '';
  for (const unit of units) {
    if (x < 1000) break;
    x /= 1000;
    u = unit;
  }
  return `${x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : x.toFixed(0)} ${u}`;
}
/** `65.3 M` of something. */
export const showCount = (n: number): string =>
  showBytes(n).replace('KB', 'K').replace('MB', 'M').replace('GB', 'G').replace('TB', 'T').replace(' B', '');
export const showMs = (ms: number): string =>
  ms < 1 ? `${ms.toFixed(2)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;

/** Rows in columns; those named in `right` are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = [], indent = '  '): string {
  const width: number[] = [];
  for (const r of rows) r.forEach((c, i) => (width[i] = Math.max(width[i] ?? 0, c.length)));
  const line = (r: readonly string[]): string =>
    r.map((c, i) => (right.includes(i) ? c.padStart(width[i] ?? 0) : c.padEnd(width[i] ?? 0))).join('  ');
  return rows.map(r => `${indent}${line(r)}`.trimEnd() + '\n').join('');
}
/** A number for people: five digits at most. */
export function showNumber(x: number | bigint): string {
  if (typeof x === 'bigint' || Number.isInteger(x)) return String(x);
  if (!Number.isFinite(x)) return String(x);
  const a = Math.abs(x);
  return a >= 1e-3 && a < 1e6 ? String(Number(x.toPrecision(5))) : x.toExponential(3);
}
/** `1 tree`, `2 trees`. */
export const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
/** The size of decision trees in a line. */
export const showTrees = (t: TreeStats): string =>
  `${t.trees} of ${t.nodes} nodes, ${t.leaves} of them leaves, depth ${t.depth}; ${many(t.features, 'feature')}, ${t.used} used`;
