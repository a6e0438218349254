import type { Kernel, Param } from '../../kernel/ir.ts';
import type { Assembler, ExpressionRef } from './binaryen.ts';

/**
 * Threads of WebAssembly: several instances of one module, a worker each, over one shared memory. It is the pool of runtimes/c/pool.c: a job is
 * open while its gate is; a worker that finds it open enters, helps, and leaves; the caller works too, closes the gate when nothing is left
 * to begin, and waits for those inside. A worker that sleeps or comes late is not waited for. Each thread has a share of the iterations,
 * always the same neighbours, and helps the others when it is through.
 *
 * How workers sleep and wake is the business of the loader (runtimes/js/pool.js), which has one pool for all models of a page:
 * - `sinter.wake()`, an import, tells the workers that a job is open;
 * - `help(self)`, an export, is what a worker calls then;
 * - `threads(n)`, an export, says how many there are; until then there is one, and nothing is shared;
 * - `naps()`, an export, allows this instance to sleep while it waits for the last worker, as a window may not;
 * - `lost()`, an export, is called for a worker that failed inside of `help`, so that nobody waits for it: the run stops;
 * - `abandon()`, an export, ends the job that a failed run has left open.
 */
export interface Pool {
  /** Where its state lies in memory. */
  readonly at: number;
  /** Bytes from the scratch memory of a thread to that of the next. */
  readonly threadBytes: number;
  readonly threads: number;
}
/** CLOSED, and how many workers are inside. */
const GATE = 0;
const CLOSED = 0x80000000 | 0;
/** Whether a worker failed. */
const LOST = 4;
/** The job: threads that take part, iterations taken at a time, and the place of its slice in the table. */
const ACTIVE = 8;
const CHUNK = 12;
const SLICE = 16;
/** The rest of the share of each thread, `next` and `end`; no two in one line of the cache. */
const SHARES = 128;
const SHARE = 128;
const END = 4;
/** An argument of the job may be a vector. */
const ARGUMENT = 16;
/** Nanoseconds of work that pay for waking a thread, and for fetching a part of it: as in runtimes/c/pool.c. */
const WORTH_WAKING = 10_000;
const WORTH_FETCHING = 1000;
/** Turns of waiting before the engine is asked to sleep, and nanoseconds that it sleeps at most. */
const TURNS = 4000;
const NAP = 100_000n;

const argumentsAt = (p: Pool): number => p.at + SHARES + SHARE * p.threads;
/** Bytes of the state for jobs of so many arguments. */
export const poolBytes = (threads: number, most: number): number => SHARES + SHARE * threads + ARGUMENT * most;
/** The most arguments that a job has. */
export const mostArguments = (kernels: readonly Kernel[]): number =>
  kernels.reduce((n, k) => (k.range ? Math.max(n, k.params.length) : n), 0);

/** No job is open: the state that memory begins with. */
export const closed = ({ m }: Assembler, p: Pool): ExpressionRef =>
  m.i32.atomic.store(GATE, m.i32.const(p.at), m.i32.const(CLOSED));
/** Adds what jobs are run by: `fork(slice, count, cost)`, which is called when the arguments are in place, and the exports. */
export function addPool({ m, b }: Assembler, p: Pool): void {
  const { i32 } = b;
  const num = (n: number): ExpressionRef => m.i32.const(n | 0);
  const at = (): ExpressionRef => num(p.at);
  const get = (i: number, t = i32): ExpressionRef => m.local.get(i, t);
  const share = (thread: ExpressionRef): ExpressionRef => m.i32.add(num(p.at + SHARES), m.i32.mul(thread, num(SHARE)));
  const state = (offset: number): ExpressionRef => m.i32.load(offset, 4, at());
  m.addGlobal('threads', i32, true, num(1));
  // Whether this instance works on a job: what it calls is not shared again.
  m.addGlobal('inside', i32, true, num(0));
  m.addFunction('threads', b.createType([i32]), b.none, [], m.global.set('threads', get(0)));

  // work(self): works on the shares of all threads, its own first. Locals: self, i, place of the share, begin, end of what is left.
  const [I, OF, BEGIN, LEFT] = [1, 2, 3, 4];
  const takeOne = m.loop(
    'take',
    m.block('through', [
      m.local.set(BEGIN, m.i32.atomic.rmw.add(0, get(OF), state(CHUNK))),
      m.br('through', m.i32.ge_u(get(BEGIN), m.local.tee(LEFT, m.i32.load(END, 4, get(OF)), i32))),
      m.call_indirect(
        'slices',
        state(SLICE),
        [
          get(BEGIN),
          m.select(m.i32.lt_u(state(CHUNK), m.i32.sub(get(LEFT), get(BEGIN))), m.i32.add(get(BEGIN), state(CHUNK)), get(LEFT)),
          get(0),
        ],
        b.createType([i32, i32, i32]),
        b.none,
      ),
      m.br('take'),
    ]),
  );
  m.addFunction(
    'work',
    b.createType([i32]),
    b.none,
    [i32, i32, i32, i32],
    m.loop(
      'all',
      m.block(null, [
        m.local.set(OF, share(m.i32.rem_u(m.i32.add(get(0), get(I)), state(ACTIVE)))),
        takeOne,
        m.local.set(I, m.i32.add(get(I), num(1))),
        m.br('all', m.i32.lt_u(get(I), state(ACTIVE))),
      ]),
    ),
  );
  const leave = (): ExpressionRef =>
    m.if(m.i32.eq(m.i32.atomic.rmw.sub(GATE, at(), num(1)), num(CLOSED | 1)), m.drop(m.memory.atomic.notify(at(), num(1))));
  m.addFunction(
    'help',
    b.createType([i32]),
    b.none,
    [],
    m.block(null, [
      m.global.set('inside', num(1)),
      m.if(
        m.i32.and(m.i32.ge_s(m.i32.atomic.rmw.add(GATE, at(), num(1)), num(0)), m.i32.lt_u(get(0), state(ACTIVE))),
        m.call('work', [get(0)], b.none),
      ),
      m.global.set('inside', num(0)),
      leave(),
    ]),
  );
  m.addFunction(
    'lost',
    b.none,
    b.none,
    [],
    m.block(null, [m.global.set('inside', num(0)), m.i32.atomic.store(LOST, at(), num(1)), leave()]),
  );

  // fork(slice, count, cost). Locals: active, i, share, least.
  const [COUNT, COST, ACT, J, EACH, LEAST] = [1, 2, 3, 4, 5, 6];
  const part = (i: ExpressionRef): ExpressionRef =>
    m.i32.wrap(m.i64.div_u(m.i64.mul(m.i64.extend_u(get(COUNT)), m.i64.extend_u(i)), m.i64.extend_u(get(ACT))));
  const fetch = (): ExpressionRef => m.f32.div(m.f32.const(WORTH_FETCHING), get(COST, b.f32));
  const smaller = (x: () => ExpressionRef, y: () => ExpressionRef): ExpressionRef => m.select(m.i32.lt_u(x(), y()), x(), y());
  const larger = (x: () => ExpressionRef, y: () => ExpressionRef): ExpressionRef => m.select(m.i32.gt_u(x(), y()), x(), y());
  const nap = (): ExpressionRef => m.memory.atomic.wait32(at(), m.i32.atomic.load(GATE, at()), m.i64.const(NAP));
  m.addFunction(
    'fork',
    b.createType([i32, i32, b.f32]),
    b.none,
    [i32, i32, i32, i32],
    m.block(null, [
      m.local.set(
        ACT,
        smaller(
          () => get(COUNT),
          () => m.global.get('threads', i32),
        ),
      ),
      m.i32.store(LOST, 4, at(), num(0)),
      m.i32.store(ACTIVE, 4, at(), get(ACT)),
      m.i32.store(SLICE, 4, at(), get(0)),
      // A few parts for each thread, so that one that is held up holds up no other, but not so small that fetching them shows.
      m.local.set(EACH, m.i32.div_u(get(COUNT), get(ACT))),
      m.local.set(LEAST, m.if(m.f32.lt(fetch(), m.f32.convert_s.i32(get(EACH))), m.i32.trunc_s.f32(fetch()), get(EACH))),
      m.i32.store(
        CHUNK,
        4,
        at(),
        larger(
          () => m.i32.div_u(get(EACH), num(4)),
          () =>
            larger(
              () => get(LEAST),
              () => num(1),
            ),
        ),
      ),
      m.loop(
        'shares',
        m.block(null, [
          m.i32.store(0, 4, share(get(J)), part(get(J))),
          m.i32.store(END, 4, share(get(J)), part(m.i32.add(get(J), num(1)))),
          m.local.set(J, m.i32.add(get(J), num(1))),
          m.br('shares', m.i32.lt_u(get(J), get(ACT))),
        ]),
      ),
      m.global.set('inside', num(1)),
      m.drop(m.i32.atomic.rmw.and(GATE, at(), num(~CLOSED))),
      m.call('wake', [], b.none),
      m.call('work', [num(0)], b.none),
      m.call('abandon', [], b.none),
      m.if(m.i32.atomic.load(LOST, at()), m.unreachable()),
    ]),
  );
  m.addFunction(
    'abandon',
    b.none,
    b.none,
    [i32],
    m.block(null, [
      m.global.set('inside', num(0)),
      m.drop(m.i32.atomic.rmw.or(GATE, at(), num(CLOSED))),
      m.loop(
        'wait',
        m.if(
          m.i32.ne(m.i32.atomic.load(GATE, at()), num(CLOSED)),
          m.block(null, [
            m.local.set(0, m.i32.add(get(0), num(1))),
            // A window may not sleep: there `naps` is 0.
            m.if(m.i32.and(m.i32.gt_u(get(0), num(TURNS)), m.global.get('naps', i32)), m.drop(nap())),
            m.br('wait'),
          ]),
        ),
      ),
    ]),
  );
  m.addGlobal('naps', i32, true, num(0));
  m.addFunction('naps', b.none, b.none, [], m.global.set('naps', num(1)));
  for (const name of ['threads', 'help', 'lost', 'naps', 'abandon']) m.addFunctionExport(name, name);
}

/** The kernel of a job as a slice: `(begin, end, thread)`, its arguments in the state of the pool. */
export function addSlice(
  { m, b }: Assembler,
  p: Pool,
  kernel: string,
  params: readonly Param[],
  types: readonly number[],
  name: string,
): void {
  const own = (x: ExpressionRef): ExpressionRef => m.i32.add(x, m.i32.mul(m.local.get(2, b.i32), m.i32.const(p.threadBytes)));
  const args = params.map((q, i) => {
    const v = access(m, b, p, types[i] ?? b.i32, i).load();
    return q.k === 'buf' && q.scratch ? own(v) : v;
  });
  const range = [m.local.get(0, b.i32), m.local.get(1, b.i32)];
  m.addFunction(name, b.createType([b.i32, b.i32, b.i32]), b.none, [], m.call(kernel, [...range, ...args], b.none));
}
/** A parallel call: shared, if that is worth it, else run here as a whole. The expressions are made anew for each place. */
export function parallelCall(
  { m, b }: Assembler,
  p: Pool,
  job: {
    readonly kernel: string;
    readonly slice: number;
    readonly types: readonly number[];
    count(): ExpressionRef;
    cost(): ExpressionRef;
    args(): readonly ExpressionRef[];
  },
): ExpressionRef {
  const worth = m.f32.ge(m.f32.mul(m.f32.convert_s.i32(job.count()), job.cost()), m.f32.const(WORTH_WAKING));
  const several = m.i32.and(m.i32.gt_s(m.global.get('threads', b.i32), m.i32.const(1)), m.i32.eqz(m.global.get('inside', b.i32)));
  const may = m.i32.and(m.i32.and(several, m.i32.gt_s(job.count(), m.i32.const(1))), worth);
  const puts = job.args().map((v, i) => access(m, b, p, job.types[i] ?? b.i32, i).store(v));
  return m.if(
    may,
    m.block(null, [...puts, m.call('fork', [m.i32.const(job.slice), job.count(), job.cost()], b.none)]),
    m.call(job.kernel, [m.i32.const(0), job.count(), ...job.args()], b.none),
  );
}
/** How argument `i` of a job lies in the state of the pool. */
function access(
  m: Assembler['m'],
  b: Assembler['b'],
  p: Pool,
  type: number,
  i: number,
): { load(): ExpressionRef; store(v: ExpressionRef): ExpressionRef } {
  const at = argumentsAt(p) + ARGUMENT * i;
  const ptr = (): ExpressionRef => m.i32.const(at | 0);
  switch (type) {
    case b.i64:
      return { load: () => m.i64.load(0, 8, ptr()), store: v => m.i64.store(0, 8, ptr(), v) };
    case b.f32:
      return { load: () => m.f32.load(0, 4, ptr()), store: v => m.f32.store(0, 4, ptr(), v) };
    case b.f64:
      return { load: () => m.f64.load(0, 8, ptr()), store: v => m.f64.store(0, 8, ptr(), v) };
    case b.v128:
      return { load: () => m.v128.load(0, 16, ptr()), store: v => m.v128.store(0, 16, ptr(), v) };
    default:
      return { load: () => m.i32.load(0, 4, ptr()), store: v => m.i32.store(0, 4, ptr(), v) };
  }
}
