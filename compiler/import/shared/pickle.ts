import { fail } from '../../core/diagnostic.ts';
import { cursor, damaged, i32, left, take, textOf, u32, u64, u8, type Cursor } from './cursor.ts';
import { alignedArray, holdsObjects } from './pickle-numpy.ts';
import { escaped, unquote } from './pickle-text.ts';
import { isPickled, type Pickled, type PickledGlobal, type PickledList } from './pickle-value.ts';

const MARK = Symbol('mark');
type Slot = Pickled | typeof MARK;

/** Modules that were renamed; names are kept as the new ones. */
const RENAMED: Readonly<Record<string, string>> = { __builtin__: 'builtins', copy_reg: 'copyreg', 'numpy._core': 'numpy.core' };
const MAX_OPCODES = 20_000_000;
/** Pickles may lie in each other this deep. */
const MAX_INSIDE = 4;

interface Machine {
  readonly c: Cursor;
  readonly stack: Slot[];
  readonly memo: Map<number, Slot>;
  readonly allowed: (name: string) => boolean;
  /** Opcodes so far, and elements that were copied from one container to another; of pickles inside, too. */
  readonly count: { opcodes: number; copied: number };
  /** How many pickles this one lies in. */
  readonly depth: number;
}
const refuse = (c: Cursor, why: string): never =>
  fail(
    'E202',
    { file: c.file, why: `${why}; nothing of it was executed` },
    { k: 'file', file: c.file, what: `pickle, byte ${c.at}` },
  );

/**
 * Reads a pickle of protocol 0 to 5, also as joblib writes it (uncompressed), as data. `allowed` lists the classes and functions that
 * may be named.
 * E202: an opcode or a name that models do not need, by name. E203: cut off or damaged.
 */
export function readPickle(bytes: Uint8Array, file: string, allowed: (name: string) => boolean): Pickled {
  return run({
    c: cursor(bytes, file, 'pickle'),
    stack: [],
    memo: new Map(),
    allowed,
    count: { opcodes: 0, copied: 0 },
    depth: 0,
  });
}
function run(m: Machine): Pickled {
  while (++m.count.opcodes <= MAX_OPCODES) {
    const op = u8(m.c);
    if (op === 0x2e) return pop(m);
    const v = step(m, op);
    if (v !== undefined) m.stack.push(v);
  }
  return damaged(m.c, `more than ${MAX_OPCODES} opcodes`);
}
function pop(m: Machine): Pickled {
  const v = m.stack.pop();
  return v === undefined || v === MARK ? damaged(m.c, 'an opcode finds nothing on the stack') : v;
}
const top = (m: Machine): Pickled => {
  const v = pop(m);
  m.stack.push(v);
  return v;
};
/** Everything down to the mark, which goes too. */
function sinceMark(m: Machine): Pickled[] {
  const at = m.stack.lastIndexOf(MARK);
  if (at < 0) damaged(m.c, 'an opcode finds no mark on the stack');
  const out = m.stack.splice(at).slice(1);
  return out as Pickled[];
}
function line(c: Cursor): string {
  const end = c.bytes.indexOf(10, c.at);
  if (end < 0) damaged(c, 'a line without an end');
  // One byte a letter: the text forms say the rest by escapes.
  const s = latin(c.bytes.subarray(c.at, end));
  c.at = end + 1;
  return s;
}
const list = (items: Pickled[]): PickledList => ({ k: 'list', items });
const pairs = (m: Machine, items: Pickled[]): [Pickled, Pickled][] => {
  if (items.length % 2 !== 0) damaged(m.c, 'a dictionary with a key and no value');
  const out: [Pickled, Pickled][] = [];
  for (let i = 0; i < items.length; i += 2) out.push([items[i] ?? null, items[i + 1] ?? null]);
  return out;
};
function append(m: Machine, to: Pickled, items: readonly Pickled[]): void {
  if (isPickled(to, 'list')) for (const i of items) to.items.push(i);
  // Subclasses of list and the like: the items say nothing that is needed.
  else if (!isPickled(to, 'object')) damaged(m.c, 'elements are appended to what is no list');
}
function setItems(m: Machine, to: Pickled, items: [Pickled, Pickled][]): void {
  if (isPickled(to, 'dict')) for (const i of items) to.entries.push(i);
  else if (isPickled(to, 'object')) {
    if (!isPickled(to.state, 'dict')) to.state = { k: 'dict', entries: [] };
    for (const i of items) to.state.entries.push(i);
  } else damaged(m.c, 'items are set in what is no dictionary');
}
function global(m: Machine, module: string, name: string): PickledGlobal {
  const known = Object.entries(RENAMED).find(([old]) => module === old || module.startsWith(`${old}.`));
  const full = `${known ? known[1] + module.slice(known[0].length) : module}.${name}`;
  const hint = full.startsWith('sklearn.') ? ' (models of scikit-learn: export them to ONNX with skl2onnx)' : '';
  if (!m.allowed(full)) refuse(m.c, `it is a pickle that names ${full}, which models of boosted trees do not need${hint}`);
  return { k: 'global', name: full };
}
function call(m: Machine, fn: Pickled, args: Pickled): Pickled {
  if (!isPickled(fn, 'global') || !isPickled(args, 'list'))
    return refuse(m.c, 'it is a pickle that calls what is no named function');
  const [a, b] = args.items;
  switch (fn.name) {
    case 'builtins.bytearray':
    case 'builtins.bytes':
    case '_codecs.encode':
      if (a === undefined) return new Uint8Array();
      if (a instanceof Uint8Array) return a;
      if (typeof a === 'string' && (b === 'latin-1' || b === 'latin1')) return Uint8Array.from(a, ch => ch.charCodeAt(0));
      return refuse(m.c, `it is a pickle with a call of ${fn.name} that is not understood`);
    case 'builtins.set':
    case 'builtins.frozenset':
    case 'builtins.list':
    case 'builtins.tuple':
      return isPickled(a, 'list') ? list(copy(m, a.items)) : list([]);
    case 'collections.OrderedDict':
    case 'builtins.dict':
      return { k: 'dict', entries: isPickled(a, 'dict') ? copy(m, a.entries) : [] };
    case 'copyreg._reconstructor':
    case 'copyreg.__newobj__':
      return isPickled(a, 'global')
        ? { k: 'object', of: a.name, args: [], state: null }
        : refuse(m.c, 'it is a pickle of no named class');
    default:
      return { k: 'object', of: fn.name, args: args.items, state: null };
  }
}
/** A copy, of which a pickle gets no more than it may have opcodes, all together. */
function copy<T>(m: Machine, items: readonly T[]): T[] {
  m.count.copied += items.length;
  return m.count.copied <= MAX_OPCODES ? [...items] : damaged(m.c, `it copies more than ${MAX_OPCODES} elements`);
}
function build(m: Machine): void {
  const state = pop(m);
  const o = top(m);
  if (!isPickled(o, 'object')) return damaged(m.c, 'state is set of what is no object');
  o.state = state;
  if (o.of !== 'joblib.numpy_pickle.NumpyArrayWrapper') return;
  // joblib puts an array into the stream right behind the record of it.
  if (!holdsObjects(o)) o.raw = alignedArray(m.c, o);
  else if (m.depth < MAX_INSIDE) o.raw = run({ ...m, stack: [], memo: new Map(), depth: m.depth + 1 });
  else damaged(m.c, 'pickles lie too deep in each other');
}
/** A little-endian two's complement integer of any length. */
function long(c: Cursor, n: number): number | bigint {
  if (n > 1024) damaged(c, `an integer of ${n} bytes`);
  let v = 0n;
  const b = take(c, n);
  for (let i = n - 1; i >= 0; i--) v = (v << 8n) | BigInt(b[i] ?? 0);
  if (n > 0 && ((b[n - 1] ?? 0) & 0x80) !== 0) v -= 1n << BigInt(8 * n);
  return Number.isSafeInteger(Number(v)) ? Number(v) : v;
}
function recall(m: Machine, at: number): Slot {
  const v = m.memo.get(at);
  return v !== undefined ? v : damaged(m.c, `memo ${at} is read and was never written`);
}
function decimal(c: Cursor): number {
  const s = line(c);
  const n = Number(s);
  return s.trim() !== '' && Number.isFinite(n) ? n : damaged(c, `'${s.slice(0, 20)}' is no number`);
}
/** One opcode, by the letter that Python's pickletools documents it under. */
function step(m: Machine, op: number): Slot | undefined {
  const { c, stack } = m;
  const double = (): number => c.view.getFloat64(c.at - 8);
  switch (op) {
    case 0x80:
      if (u8(c) > 5) damaged(c, 'a protocol after 5');
      return undefined;
    case 0x95:
      if (u64(c) > left(c)) damaged(c, 'a frame that is longer than the file');
      return undefined;
    // Constants: N, True, False, I, L, F, K, M, J, long, G.
    case 0x4e:
      return null;
    case 0x88:
      return true;
    case 0x89:
      return false;
    case 0x49: {
      const s = line(c);
      return s === '00' ? false : s === '01' ? true : Number(s);
    }
    case 0x4c:
      return Number(line(c).replace(/L$/, ''));
    case 0x46:
      return Number(line(c).replace(/^(-?)inf$/, '$1Infinity'));
    case 0x4b:
      return u8(c);
    case 0x4d:
      return u8(c) | (u8(c) << 8);
    case 0x4a:
      return i32(c);
    case 0x8a:
      return long(c, u8(c));
    case 0x8b:
      return long(c, i32(c) >>> 0);
    case 0x47:
      take(c, 8);
      return double();
    // Text: V, X, short, 8-byte length; S, U, T (Python 2, bytes as text).
    case 0x56:
      return escaped(line(c));
    case 0x58:
      return textOf(take(c, u32(c)));
    case 0x8c:
      return textOf(take(c, u8(c)));
    case 0x8d:
      return textOf(take(c, u64(c)));
    case 0x53:
      return unquote(line(c)) ?? damaged(c, 'a string without quotes');
    case 0x55:
      return latin(take(c, u8(c)));
    case 0x54:
      return latin(take(c, u32(c)));
    // Bytes: C, B, 8-byte length, bytearray.
    case 0x43:
      return take(c, u8(c));
    case 0x42:
      return take(c, u32(c));
    case 0x8e:
    case 0x96:
      return take(c, u64(c));
    // Containers: ], [e l], ), t, tuples of 1 to 3, }, d, sets.
    case 0x5d:
    case 0x29:
    case 0x8f:
      return list([]);
    case 0x6c:
    case 0x74:
    case 0x91:
      return list(sinceMark(m));
    case 0x85:
    case 0x86:
    case 0x87: {
      const items: Pickled[] = [];
      for (let i = 0x84; i < op; i++) items.unshift(pop(m));
      return list(items);
    }
    case 0x7d:
      return { k: 'dict', entries: [] };
    case 0x64:
      return { k: 'dict', entries: pairs(m, sinceMark(m)) };
    case 0x61: {
      const v = pop(m);
      append(m, top(m), [v]);
      return undefined;
    }
    case 0x65:
    case 0x90: {
      const items = sinceMark(m);
      append(m, top(m), items);
      return undefined;
    }
    case 0x73: {
      const v = pop(m);
      const key = pop(m);
      setItems(m, top(m), [[key, v]]);
      return undefined;
    }
    case 0x75: {
      const items = pairs(m, sinceMark(m));
      setItems(m, top(m), items);
      return undefined;
    }
    // Stack and memo: 0, 1, 2, (, p, q, r, memoize, g, h, j.
    case 0x30:
      if (stack.pop() === undefined) damaged(c, 'an opcode finds nothing on the stack');
      return undefined;
    case 0x31:
      sinceMark(m);
      return undefined;
    case 0x32:
      return top(m);
    case 0x28:
      return MARK;
    case 0x70:
      m.memo.set(decimal(c), top(m));
      return undefined;
    case 0x71:
      m.memo.set(u8(c), top(m));
      return undefined;
    case 0x72:
      m.memo.set(u32(c), top(m));
      return undefined;
    case 0x94:
      m.memo.set(m.memo.size, top(m));
      return undefined;
    case 0x67:
      return recall(m, decimal(c));
    case 0x68:
      return recall(m, u8(c));
    case 0x6a:
      return recall(m, u32(c));
    // Names and calls, as records: c, stack global, R, newobj, newobj_ex, b.
    case 0x63: {
      const module = line(c);
      return global(m, module, line(c));
    }
    case 0x93: {
      const [name, module] = [pop(m), pop(m)];
      if (typeof name !== 'string' || typeof module !== 'string') return damaged(c, 'a name that is no text');
      return global(m, module, name);
    }
    case 0x52: {
      const args = pop(m);
      return call(m, pop(m), args);
    }
    case 0x81: {
      const args = pop(m);
      const cls = pop(m);
      if (!isPickled(cls, 'global') || !isPickled(args, 'list')) return damaged(c, 'an object of no class');
      return { k: 'object', of: cls.name, args: args.items, state: null };
    }
    case 0x92: {
      pop(m);
      const args = pop(m);
      const cls = pop(m);
      if (!isPickled(cls, 'global') || !isPickled(args, 'list')) return damaged(c, 'an object of no class');
      return { k: 'object', of: cls.name, args: args.items, state: null };
    }
    case 0x62:
      build(m);
      return undefined;
    default:
      return refuse(
        c,
        `it is a pickle with the opcode ${REFUSED[op] ?? `0x${op.toString(16).padStart(2, '0')}`}, which models do not need`,
      );
  }
}
/** Opcodes that exist and are refused. */
const REFUSED: Readonly<Record<number, string>> = {
  0x69: 'INST',
  0x6f: 'OBJ',
  0x50: 'PERSID',
  0x51: 'BINPERSID',
  0x82: 'EXT1',
  0x83: 'EXT2',
  0x84: 'EXT4',
  0x97: 'NEXT_BUFFER',
  0x98: 'READONLY_BUFFER',
};
function latin(b: Uint8Array): string {
  let s = '';
  for (let i = 0; i < b.length; i += 4096) s += String.fromCharCode(...b.subarray(i, i + 4096));
  return s;
}
