import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { must } from '../core/diagnostic.ts';
import { linkedOf, objectOf, productsOf, toolOf, type Sources } from '../bundle/native/toolchain.ts';
import type { Profile } from '../target/profile.ts';

/** What manifest.json of a native bundle says of how it is built. */
export interface NativeBuild extends Sources {
  readonly prefix: string;
  readonly cc: string;
  readonly flags: readonly string[];
  /** Flags that some sources have besides. */
  readonly own?: Readonly<Record<string, readonly string[]>>;
  readonly system: Profile['toolchain']['system'];
  /** Bytes of scratch memory for a run. */
  readonly arena: number;
}
/** Bytes that a model takes on a machine without an operating system, as measured from its objects. */
export interface Footprint {
  /** Code, weights and other constants. */
  readonly flash: number;
  /** The arena and the stack of a run; the inputs and outputs are the caller's. */
  readonly ram: number;
  readonly stack: number;
}
/** Whether a command is there. */
export const isHere = (command: string): boolean => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error;

/** Libraries with their sizes in bytes, or why there are none. */
export type Built =
  | { readonly made: readonly (readonly [file: string, bytes: number])[]; readonly footprint?: Footprint }
  | { readonly why: string };
/**
 * Builds the libraries of a native bundle beside its sources, where its compiler is here. Gives what was made, or a text that says why
 * nothing was: the sources are kept in any case.
 */
export function buildLibraries(dir: string, n: NativeBuild): Built {
  if (!isHere(n.cc)) return { why: `${n.cc} is not here; on a machine that has it: make` };
  const products = productsOf(n.system);
  const { objectFlags } = products;
  const archive = n.shared ? undefined : products.archive;
  const linked = linkedOf(products, n);
  const all = [...new Set([...(archive === undefined ? [] : n.sources), ...linked.flatMap(l => [...l.model, ...l.own])])];
  const usage = n.sources.filter(s => s.endsWith('.c')).map(s => s.replace(/c$/, 'su'));
  const bare = n.system === 'bare';
  try {
    for (const s of all) {
      const flags = [...n.flags, ...(n.own?.[s] ?? []), ...objectFlags, ...(bare ? ['-fstack-usage'] : [])];
      const bad = run(n.cc, [...flags, '-c', s, '-o', objectOf(s)], dir);
      if (bad !== undefined) return { why: bad };
    }
    const made: (readonly [string, number])[] = [];
    const ar = toolOf(n.cc, 'ar');
    const steps: (readonly [file: string, command: string, args: readonly string[]])[] = [
      ...(archive === undefined
        ? []
        : [[archive, isHere(ar) ? ar : 'ar', ['rcs', archive, ...n.sources.map(objectOf)]] as const]),
      ...linked.map(
        ({ file, flags, own, model, libs }) =>
          [file, n.cc, [...n.flags, ...flags, '-o', file, ...[...own, ...model].map(objectOf), ...libs]] as const,
      ),
    ];
    for (const [file, command, args] of steps) {
      const bad = run(command, args, dir);
      if (bad !== undefined) return { why: bad };
      made.push([file, statSync(join(dir, file)).size]);
    }
    const footprint = bare && archive !== undefined ? measure(dir, n, archive, usage) : undefined;
    return { made, ...(footprint && { footprint }) };
  } finally {
    for (const o of [...all.map(objectOf), ...usage]) rmSync(join(dir, o), { force: true });
  }
}
/** Room on the stack for functions of the C library and the compiler's own, which report none. */
const LIBRARY_STACK = 256;
/** What the objects in an archive take, by the binutils' `size` and by what the compiler said of each function's stack. */
function measure(dir: string, n: NativeBuild, archive: string, usage: readonly string[]): Footprint | undefined {
  const r = spawnSync(toolOf(n.cc, 'size'), ['-t', archive], { cwd: dir, encoding: 'utf8' });
  const total = /^\s*(\d+)\s+(\d+)\s+(\d+)\s.*\(TOTALS\)/m.exec(r.error ? '' : r.stdout);
  if (!total) return undefined;
  const [text, data, bss] = total.slice(1).map(Number);
  const frames = new Map(
    usage.flatMap(f => [...readFileSync(join(dir, f), 'utf8').matchAll(/:(\w+)\t(\d+)\t/g)]).map(m => [must(m[1]), Number(m[2])]),
  );
  // NAME_run calls steps, which calls one kernel after the other; no other function calls one that has not been inlined.
  const chain = [`${n.prefix}_run`, 'steps'];
  const kernels = [...frames].filter(([f]) => !chain.includes(f)).map(([, bytes]) => bytes);
  const stack = chain.reduce((sum, f) => sum + (frames.get(f) ?? 0), 0) + Math.max(0, ...kernels) + LIBRARY_STACK;
  return { flash: must(text) + must(data), ram: must(data) + must(bss) + n.arena + stack, stack };
}
/** Runs a command; undefined where it went well, else what it said, and the command. */
function run(command: string, args: readonly string[], cwd: string): string | undefined {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (r.error) return `${command}: ${r.error.message}`;
  if (r.status === 0) return undefined;
  return `${[command, ...args].join(' ')}\n${`${r.stderr}${r.stdout}`.trim().slice(0, 4000)}`;
}

/**
 * Builds a program of the bundle in `dir` and the source `main`, all of it in the folder `work`; undefined where it went well, else what is
 * wrong. `flags`: more of them for `main`.
 */
export function buildProgram(
  dir: string,
  work: string,
  n: NativeBuild,
  { main, program, flags = [] }: { readonly main: string; readonly program: string; readonly flags?: readonly string[] },
): string | undefined {
  const objects: string[] = [];
  for (const s of [main, ...n.sources]) {
    const object = join(work, basename(objectOf(s)));
    const bad = run(n.cc, [...n.flags, ...(n.own?.[s] ?? []), ...(s === main ? flags : []), '-c', s, '-o', object], dir);
    if (bad !== undefined) return bad;
    objects.push(object);
  }
  return run(n.cc, [...n.flags, ...objects, '-o', program, '-lm'], dir);
}
