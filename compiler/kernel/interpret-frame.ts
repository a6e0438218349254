import { InternalError, must } from '../core/diagnostic.ts';
import { DTYPES, type DType } from '../core/dtype.ts';
import type { Value } from './arith.ts';
import type { Kernel } from './ir.ts';
import type { Cell } from './memory.ts';

/** Is told of every access to memory, and of the iterations of parallel loops, which may nest. */
export interface Watch {
  enter(): void;
  iteration(v: number): void;
  leave(): void;
  /** `at` and `size` in bytes of `memory`, which is the whole that the buffer lies in. */
  access(kind: 'load' | 'store', memory: ArrayBufferLike, at: number, size: number, scratch: boolean, name: string): void;
}
/** What a kernel that runs has: its variables, and its view of the buffers. */
export interface Frame {
  readonly scalars: Value[];
  readonly vectors: Value[][];
  readonly cells: ReadonlyMap<string, Cell>;
  /** Where a variable is, among the scalars or the vectors. */
  readonly slotOf: (name: string) => number;
  readonly newSlot: (name: string, lanes: number) => number;
  /** A buffer as elements of a type. */
  readonly cell: (buf: string, dtype: DType) => Cell;
  /** The index of an access in elements from the start of the memory; `base` counts bytes. */
  readonly place: (
    c: Cell,
    at: () => number,
    base: (() => number) | undefined,
    lanes: number,
    what: 'load' | 'store',
  ) => () => number;
  /** A message with the name of the kernel. */
  readonly where: (what: string) => string;
}
export function newFrame(kernel: Kernel, watch: Watch | undefined): Frame {
  const cells = new Map<string, Cell>();
  const scalars: Value[] = [];
  const vectors: Value[][] = [];
  const slots = new Map<string, number>();
  const where = (what: string): string => `kernel ${kernel.name}: ${what}`;

  const slotOf = (name: string): number => must(slots.get(name), where(`variable ${name}`));
  const newSlot = (name: string, lanes: number): number => {
    if (slots.has(name)) throw new InternalError(where(`${name} is bound twice`));
    const into: unknown[] = lanes === 1 ? scalars : vectors;
    const at = into.length;
    if (lanes === 1) scalars.push(0);
    else vectors.push(new Array<Value>(lanes).fill(0));
    slots.set(name, at);
    return at;
  };
  const cell = (buf: string, dtype: DType): Cell => {
    const key = `${buf}:${dtype}`;
    const had = cells.get(key);
    if (had) return had;
    const param = kernel.params.findIndex(p => p.k === 'buf' && p.name === buf);
    if (param < 0) throw new InternalError(where(`no buffer ${buf}`));
    const c: Cell = { param, name: buf, dtype, view: new Uint8Array(0), offset: 0 };
    cells.set(key, c);
    return c;
  };
  const place: Frame['place'] = (c, at, base, lanes, what) => {
    const inside = placeIn(c, at, base, lanes, what);
    if (!watch) return inside;
    const size = DTYPES[c.dtype].bytes;
    const param = kernel.params[c.param];
    const scratch = param?.k === 'buf' && param.scratch === true;
    return () => {
      const n = inside();
      watch.access(what, c.view.buffer, c.view.byteOffset + n * size, lanes * size, scratch, where(`${what} of ${c.name}`));
      return n;
    };
  };
  const placeIn = (
    c: Cell,
    i: () => number,
    base: (() => number) | undefined,
    lanes: number,
    what: 'load' | 'store',
  ): (() => number) => {
    const checked = (n: number): number =>
      n >= 0 && n + lanes <= c.view.length
        ? n
        : bounds(
            `${what} of ${c.name}[${n - c.offset}]${lanes > 1 ? `:${lanes}` : ''} outside of ${c.view.length} - ${c.offset}`,
          );
    const bounds = (s: string): never => {
      throw new InternalError(where(s));
    };
    if (!base) return () => checked(i() + c.offset);
    const size = DTYPES[c.dtype].bytes;
    return () => checked(base() / size + i() + c.offset);
  };
  return { scalars, vectors, cells, slotOf, newSlot, cell, place, where };
}
