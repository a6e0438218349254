import type { Watch } from '../../compiler/kernel/interpret.ts';

/** Who touched the bytes of one memory in the iterations of a loop: NOBODY, MANY (readers only), or the number of an iteration. */
interface Touched {
  readonly writer: Int32Array;
  readonly reader: Int32Array;
  /** The last iteration that wrote a byte of a scratch buffer. */
  readonly own: Int32Array;
}
interface Loop {
  readonly memories: Map<ArrayBufferLike, Touched>;
  iteration: number;
}
const NOBODY = -1;
const MANY = -2;

/**
 * Sees to it that the iterations of parallel loops are independent: throws where one reads or writes what another writes, or reads
 * from a scratch buffer what it has not written itself. It looks at what the iterations do, not at their order, so one run is enough.
 */
export function races(): Watch {
  const loops: Loop[] = [];
  const touchedBy = (l: Loop, memory: ArrayBufferLike): Touched => {
    let t = l.memories.get(memory);
    const none = (): Int32Array => new Int32Array(memory.byteLength).fill(NOBODY);
    if (!t) l.memories.set(memory, (t = { writer: none(), reader: none(), own: none() }));
    return t;
  };
  return {
    enter: () => void loops.push({ memories: new Map(), iteration: NOBODY }),
    iteration: () => {
      const l = loops.at(-1);
      if (l) l.iteration++;
    },
    leave: () => void loops.pop(),
    access: (kind, memory, at, size, scratch, name) => {
      for (const l of loops) {
        const t = touchedBy(l, memory);
        const me = l.iteration;
        const other = (it: number | undefined): boolean => it !== NOBODY && it !== me;
        for (let i = at; i < at + size; i++) {
          if (scratch) {
            if (kind === 'store') t.own[i] = me;
            else if (t.own[i] !== me) throw new Error(`race: ${name}: iteration ${me} has not written this byte of scratch`);
          } else if (other(t.writer[i])) {
            throw new Error(`race: ${name}: iteration ${me} touches what iteration ${t.writer[i]} wrote`);
          } else if (kind === 'store') {
            if (other(t.reader[i])) throw new Error(`race: ${name}: iteration ${me} writes what another has read`);
            t.writer[i] = me;
          } else t.reader[i] = other(t.reader[i]) ? MANY : me;
        }
      }
    },
  };
}
