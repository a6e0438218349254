import type { Watch } from '../../compiler/kernel/interpret.ts';

/** Who touched the bytes of one memory, by iterations, which all have numbers of their own. */
interface Touched {
  readonly writer: Int32Array;
  readonly reader: Int32Array;
  /** The first iteration of the loop of which several read a byte. */
  readonly readers: Int32Array;
}
/** What a depth of nesting remembers: of earlier loops too, so that nothing has to be cleared. */
interface Depth {
  readonly memories: Map<ArrayBufferLike, Touched>;
}
interface Loop extends Depth {
  /** Its first iteration, and the present one. */
  readonly first: number;
  iteration: number;
}
const NOBODY = -1;
/** Code outside of all parallel loops. */
const OUTSIDE = 0;

/**
 * Sees to it that the iterations of parallel loops are independent: throws where one reads or writes what another writes. What one reads
 * of a scratch buffer without having written it is noise, so that a result that depends on it is wrong. It looks at what the iterations
 * do, not at their order, so one run is enough.
 */
export function races(): Watch {
  const depths: Depth[] = [];
  const loops: Loop[] = [];
  let iterations = OUTSIDE;
  /** The iteration that wrote a byte of scratch last. */
  const owners = new Map<ArrayBufferLike, Int32Array>();
  const touchedBy = (l: Loop, memory: ArrayBufferLike): Touched => {
    let t = l.memories.get(memory);
    const none = (): Int32Array => new Int32Array(memory.byteLength).fill(NOBODY);
    if (!t) l.memories.set(memory, (t = { writer: none(), reader: none(), readers: none() }));
    return t;
  };
  let noise = 1;
  const scratch = (kind: 'load' | 'store', memory: ArrayBufferLike, at: number, end: number): void => {
    const me = loops.at(-1)?.iteration ?? OUTSIDE;
    let owner = owners.get(memory);
    if (!owner) owners.set(memory, (owner = new Int32Array(memory.byteLength).fill(NOBODY)));
    const bytes = new Uint8Array(memory);
    for (let i = at; i < end; i++)
      if (kind === 'store') owner[i] = me;
      else if (owner[i] !== me) bytes[i] = (noise = (Math.imul(noise, 1103515245) + 12345) >>> 0) >>> 24;
  };
  return {
    enter: () => {
      const depth = (depths[loops.length] ??= { memories: new Map() });
      loops.push({ ...depth, first: iterations + 1, iteration: NOBODY });
    },
    iteration: () => {
      const l = loops.at(-1);
      if (l) l.iteration = ++iterations;
    },
    leave: () => void loops.pop(),
    access: (kind, memory, at, size, isScratch, name) => {
      if (isScratch) scratch(kind, memory, at, at + size);
      else
        for (const l of loops) {
          const t = touchedBy(l, memory);
          const me = l.iteration;
          const other = (it = NOBODY): boolean => it >= l.first && it !== me;
          for (let i = at; i < at + size; i++) {
            if (other(t.writer[i])) throw new Error(`race: ${name}: another iteration writes here`);
            if (kind === 'store' && (other(t.reader[i]) || t.readers[i] === l.first))
              throw new Error(`race: ${name}: another iteration reads here`);
            if (kind === 'store') t.writer[i] = me;
            else {
              if (other(t.reader[i])) t.readers[i] = l.first;
              t.reader[i] = me;
            }
          }
        }
    },
  };
}
