import { CompileError, fail, opOf, type Loc } from '../../core/diagnostic.ts';

/** A node that Sinter cannot import; the import goes on without it, to find all of them. */
export class Unsupported extends CompileError {
  readonly op: string;
  readonly why: string;
  constructor(op: string, why: string, loc: Loc) {
    super('E101', { op, why: `: ${why}` }, loc);
    this.op = op;
    this.why = why;
  }
}
/** Thrown where a value is wanted that a node would have made which is not supported: what wants it is left out without a word. */
export class Poisoned extends Error {}

/** Runs the importer of one node: errors that have no place get that of the node, and whatever says E101 is `Unsupported`. */
export function importedAt<T>(loc: Loc, run: () => T): T {
  try {
    return run();
  } catch (e) {
    if (e instanceof CompileError && e.loc.k === 'none') throw e.at(loc);
    if (e instanceof CompileError && e.code === 'E101' && !(e instanceof Unsupported))
      throw new Unsupported(opOf(loc), e.bare, loc);
    throw e;
  }
}

/** An operator of the file that no table has, and the name of the node. */
interface Lacking {
  readonly op: string;
  readonly name: string;
}
/**
 * Reports everything that is not supported at once: what no table has, anywhere in the file, and what was refused on the way.
 * E103; E101 where it is one thing that was refused. `help`: what the user can do; may be empty.
 */
export function failUnsupported(file: string, lacking: readonly Lacking[], met: readonly Unsupported[], help = ''): never {
  interface Row {
    readonly op: string;
    readonly why: string;
    count: number;
    readonly first: string;
  }
  const rows = new Map<string, Row>();
  const add = (op: string, why: string, first: string): void => {
    const had = rows.get(`${op}\0${why}`);
    if (had) had.count++;
    else rows.set(`${op}\0${why}`, { op, why, count: 1, first });
  };
  for (const n of lacking) add(n.op, '', n.name);
  const refused = met.filter(u => u.why !== '');
  for (const u of refused) add(u.op, u.why, u.loc.k === 'part' ? u.loc.name : '');
  const [only] = refused;
  if (lacking.length === 0 && refused.length === 1 && only)
    throw help === '' ? only : new Unsupported(only.op, `${only.why}; ${help}`, only.loc);
  const all = [...rows.values()].sort((a, b) => b.count - a.count);
  const list = all.map(
    r => `  ${r.op}${r.count > 1 ? ` (${r.count} times)` : ''}${r.why === '' ? '' : `: ${r.why}`}; first '${r.first}'`,
  );
  return fail(
    'E103',
    {
      count: all.length === 1 ? '1 operator' : `${all.length} operators`,
      list: [...list, ...(help === '' ? [] : [`  ${help}`])].join('\n'),
    },
    { k: 'file', file, what: '' },
  );
}
