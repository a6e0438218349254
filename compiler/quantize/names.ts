import { nodesOf, type Graph, type Value } from '../graph/graph.ts';

/** Called by an importer for each name of the model's file, with what it became. */
type Named = (name: string, value: Value) => void;
/** Collects the names that an importer tells; of several names of one value the first counts. */
export function nameCollector(): { readonly onValue: Named; readonly names: ReadonlyMap<Value, string> } {
  const names = new Map<Value, string>();
  return {
    names,
    onValue: (name, value) => {
      if (name !== '' && !names.has(value)) names.set(value, name);
    },
  };
}

/** Gives names that are unique: the second of a name is `name (2)`. */
export function uniqueNames(): (name: string) => string {
  const taken = new Set<string>();
  const next = new Map<string, number>();
  return name => {
    let unique = name;
    let n = next.get(name) ?? 1;
    while (taken.has(unique)) unique = `${name} (${++n})`;
    next.set(name, n);
    taken.add(unique);
    return unique;
  };
}

/**
 * A name for each value that is no constant: that of the model's file where it has one, else of the node that makes it. The same
 * model gives the same names.
 */
export function valueNames(g: Graph, given: ReadonlyMap<Value, string>): ReadonlyMap<Value, string> {
  const unique = uniqueNames();
  const out = new Map<Value, string>();
  const made = nodesOf(g);
  // Names of the file first, so that none of them has to give way.
  for (const v of [...g.inputs, ...made.flatMap(n => n.outputs)]) {
    const name = given.get(v) ?? (v.def.k === 'input' ? v.def.name : undefined);
    if (name !== undefined && !out.has(v)) out.set(v, unique(name));
  }
  made.forEach((n, at) => {
    const own = n.loc.k === 'part' && n.loc.name !== '' ? n.loc.name : `${n.op.name} ${at}`;
    n.outputs.forEach((v, i) => {
      if (!out.has(v)) out.set(v, unique(i === 0 ? own : `${own}:${i}`));
    });
  });
  return out;
}
