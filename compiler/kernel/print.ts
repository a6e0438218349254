import { showVType, type BinOp, type CmpOp, type Expr, type Kernel, type Stmt, type VType, type WordRows } from './ir.ts';

const INFIX: Readonly<Partial<Record<BinOp, string>>> = {
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  rem: '%',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
  shr: '>>',
};
const CMP: Readonly<Record<CmpOp, string>> = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' };

function showNumber(v: number | bigint): string {
  if (typeof v === 'bigint') return String(v);
  if (Number.isNaN(v)) return 'nan';
  if (!Number.isFinite(v)) return v < 0 ? '-inf' : 'inf';
  return Object.is(v, -0) ? '-0' : String(v);
}
const isI32 = (t: VType): boolean => t.base === 'i32' && t.lanes === 1;

/**
 * An expression as text; equal text means equal expressions. Constants carry their type unless it is i32. `b[i]` is a load,
 * `b[i]:4` one of four lanes, `b.u16[i]` one of another element type, `b{p}[2]` one from the address p; `&b[i]` is an address;
 * `f32(x)` a conversion, `f32x4.bits(x)` the same bits, `f32x4.splat(x)` one value in each lane.
 */
export function showExpr(e: Expr): string {
  switch (e.k) {
    case 'const':
      return isI32(e.t) ? showNumber(e.value) : `${showNumber(e.value)}:${showVType(e.t)}`;
    case 'var':
      return e.name;
    case 'load':
      return `${access(e.buf, e.dtype, e.at, e.base)}${e.t.lanes > 1 ? `:${e.t.lanes}` : ''}`;
    case 'addr':
      return `&${access(e.buf, e.dtype, e.at, undefined)}`;
    case 'bin': {
      const op = INFIX[e.op];
      return op === undefined ? call(e.op, e.a, e.b) : `(${showExpr(e.a)} ${op} ${showExpr(e.b)})`;
    }
    case 'cmp':
      return `(${showExpr(e.a)} ${CMP[e.op]} ${showExpr(e.b)})`;
    case 'un':
      return call(e.op, e.a);
    case 'select':
      return call('select', e.c, e.a, e.b);
    case 'cast':
      return call(showVType(e.t), e.a);
    case 'reinterpret':
      return call(`${showVType(e.t)}.bits`, e.a);
    case 'splat':
      return call(`${showVType(e.t)}.splat`, e.a);
    case 'vec':
      return call('vec', ...e.parts);
    case 'lane':
      return `lane[${e.lane}](${showExpr(e.a)})`;
    case 'shuffle':
      return `shuffle[${e.lanes.join(', ')}](${showExpr(e.a)}, ${showExpr(e.b)})`;
    case 'permute':
      return call('permute', e.a, e.b, e.at);
    case 'widen':
      return call(e.half, e.a);
    case 'fma':
      return call('fma', e.a, e.b, e.c);
    case 'dot':
      return call('dot', e.a, e.b, e.acc);
    case 'reduce':
      return call(`reduce.${e.op}`, e.a);
  }
}
const call = (name: string, ...args: readonly Expr[]): string => `${name}(${args.map(showExpr).join(', ')})`;
/** The element type is written with each access: it need not be the buffer's own. */
const access = (buf: string, dtype: string, at: Expr, base: Expr | undefined): string =>
  `${buf}.${dtype}${base ? `{${showExpr(base)}}` : ''}[${showExpr(at)}]`;

function showStmt(s: Stmt, pad: string, out: string[]): void {
  const block = (b: readonly Stmt[]): void => {
    for (const x of b) showStmt(x, `${pad}  `, out);
  };
  switch (s.k) {
    case 'for': {
      const step = s.step === 1 ? '' : ` by ${s.step}`;
      out.push(`${pad}for ${s.v} in ${showExpr(s.lo)}..${showExpr(s.hi)}${step}${s.parallel ? ' parallel' : ''} {`);
      block(s.body);
      out.push(`${pad}}`);
      return;
    }
    case 'while':
      out.push(`${pad}while${s.enter ? ' entered' : ''} ${showExpr(s.c)} {`);
      block(s.body);
      out.push(`${pad}}`);
      return;
    case 'let':
      out.push(`${pad}let ${s.name}: ${showVType(s.value.t)} = ${showExpr(s.value)}`);
      return;
    case 'set':
      out.push(`${pad}${s.name} = ${showExpr(s.value)}`);
      return;
    case 'store':
      out.push(`${pad}${access(s.buf, s.dtype, s.at, s.base)} = ${showExpr(s.value)}`);
      return;
    case 'prefetch':
      out.push(`${pad}prefetch ${s.buf} ${showExpr(s.at)}`);
      return;
    case 'mma': {
      const rows = (r: WordRows): string => `${r.buf}[${showExpr(r.at)}, ${showExpr(r.stride)}]`;
      out.push(`${pad}mma ${s.rows}x${s.words}x${s.columns} ${rows(s.to)} = ${rows(s.a)} * ${rows(s.b)}`);
      return;
    }
    case 'call': {
      const args = s.args.map(a => (a.k === 'buf' ? `${a.buf}[${showExpr(a.at)}]` : showExpr(a.value)));
      const over = s.over ? ` over ${showExpr(s.over.count)} cost ${showExpr(s.over.cost)}` : '';
      out.push(`${pad}call ${s.kernel.name}(${args.join(', ')})${over}`);
      return;
    }
    case 'if':
      out.push(`${pad}if ${showExpr(s.c)} {`);
      block(s.then);
      if (s.else.length > 0) {
        out.push(`${pad}} else {`);
        block(s.else);
      }
      out.push(`${pad}}`);
      return;
  }
}
/** A kernel as text, which `parseKernel` reads. */
export function showKernel(k: Kernel): string {
  const params = k.params.map(p => {
    switch (p.k) {
      case 'int':
        return `int ${p.name}`;
      case 'value':
        return `value ${p.name}: ${showVType(p.t)}`;
      case 'buf':
        return `${p.scratch ? 'scratch ' : ''}${p.access} ${p.name}: ${p.dtype}`;
    }
  });
  const range = k.range ? ` over ${k.range.begin}..${k.range.end}` : '';
  const out = [`kernel ${k.name}(${params.join(', ')})${range} {`];
  for (const s of k.body) showStmt(s, '  ', out);
  out.push('}', '');
  return out.join('\n');
}
