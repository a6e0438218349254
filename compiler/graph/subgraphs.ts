import type { Attrs } from '../ops/define.ts';
import { isGraph, type Graph } from './graph.ts';

/** The attributes with every graph among them mapped; the same object where none changed. */
export function mapSubgraphs(attrs: Attrs, f: (g: Graph) => Graph): Attrs {
  let changed = false;
  const out: Record<string, Attrs[string]> = {};
  for (const [name, a] of Object.entries(attrs)) {
    const b = isGraph(a) ? f(a) : a;
    if (b !== a) changed = true;
    out[name] = b;
  }
  return changed ? out : attrs;
}
