import { CompileError, fail, type Loc } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { attrKind, dataTypeName, dtypeOf, type AttrKind } from './decode.ts';
import { denseOf } from './sparse.ts';
import { tensorOf, type ExternalResolver } from './tensor.ts';
import type { AttributeProto, GraphProto, NodeProto } from './records.ts';
import type { OnnxNode } from './registry.ts';

/** A node that Sinter cannot import; the import goes on without it, to find all of them. */
export class Unsupported extends CompileError {
  readonly op: string;
  readonly why: string;
  constructor(op: string, why: string, loc: Loc) {
    super('E101', `operator ${op} is not supported: ${why}`, loc);
    this.op = op;
    this.why = why;
  }
}

/** The same error at a place of the model that says more. */
export const at = (e: CompileError, loc: Loc): CompileError =>
  new CompileError(e.code, e.message.slice(e.message.indexOf(e.code) + e.code.length + 2), loc);

/** The values that attributes of an enclosing function have in this call of it. */
export type AttrScope = ReadonlyMap<string, AttributeProto>;
/** A node's attributes by name, with references to a function's attributes resolved; those that the call leaves out are missing. */
export function resolveAttrs(list: readonly AttributeProto[], scope: AttrScope): AttrScope {
  const out = new Map<string, AttributeProto>();
  for (const a of list) {
    const found = a.refAttrName === '' ? a : scope.get(a.refAttrName);
    if (found) out.set(a.name, found);
  }
  return out;
}

/** An operator's name as tables have it. */
export const opKey = (domain: string, op: string): string => (domain === '' ? op : `${domain}.${op}`);
/** The standard domain is written in two ways. */
export const domainOf = (d: string): string => (d === 'ai.onnx' ? '' : d);

export interface NodeParts {
  readonly proto: NodeProto;
  readonly attrs: AttrScope;
  readonly inputs: readonly (Value | undefined)[];
  readonly opset: number;
  readonly loc: Loc;
  readonly file: string;
  readonly external: ExternalResolver | undefined;
  readonly declared: readonly (readonly (number | undefined)[] | undefined)[];
}
/** What a builder sees of a node. */
export function onnxNode(p: NodeParts): OnnxNode {
  const { proto, attrs, inputs, loc, file } = p;
  const domain = domainOf(proto.domain);
  const op = opKey(domain, proto.opType);
  const reject = (why: string): never => fail('E102', { op, why }, loc);

  /** A reader of attributes: with one argument the attribute must be there. */
  function reader<T>(kinds: readonly AttrKind[], what: string, read: (a: AttributeProto) => T | undefined) {
    function get(name: string): T;
    function get<const D extends T | undefined>(name: string, otherwise: D): T | D;
    function get(...args: readonly [string, ...(T | undefined)[]]): T | undefined {
      const [name, otherwise] = args;
      const a = attrs.get(name);
      if (!a) return args.length > 1 ? otherwise : reject(`attribute '${name}' is missing`);
      const kind = attrKind(a);
      // Files older than the type field cannot tell an empty list from an empty anything.
      const empty = kind === 'undefined' && a.type === 0;
      if (!empty && !kinds.includes(kind)) reject(`attribute '${name}' is of type ${kind}, must be ${what}`);
      return read(a) ?? reject(`attribute '${name}' has no value`);
    }
    return get;
  }
  const located = (read: () => Tensor | undefined): Tensor | undefined => {
    try {
      return read();
    } catch (e) {
      if (e instanceof CompileError && e.code === 'E106') throw at(e, loc);
      throw e;
    }
  };
  return {
    op: proto.opType,
    domain,
    opset: p.opset,
    inputs,
    outputs: proto.output,
    loc,
    input: (i, what) => inputs[i] ?? reject(`input ${i}${what === undefined ? '' : ` (${what})`} is missing`),
    wants: i => (proto.output[i] ?? '') !== '',
    declared: i => p.declared[i],
    has: name => attrs.has(name),
    int: reader(['int'], 'an int', a => a.i ?? 0),
    bool: reader(['int'], 'an int', a => {
      const i = a.i ?? 0;
      return i === 0 || i === 1 ? i === 1 : reject(`attribute '${a.name}' is ${i}, must be 0 or 1`);
    }),
    float: reader(['float'], 'a float', a => a.f ?? 0),
    string: reader(['string'], 'a string', a => a.s ?? ''),
    ints: reader(['ints'], 'ints', a => a.ints),
    floats: reader(['floats'], 'floats', a => a.floats),
    strings: reader(['strings'], 'strings', a => a.strings),
    tensor: reader(['tensor', 'sparse_tensor'], 'a tensor', a =>
      located(() => (a.t ? tensorOf(a.t, p.external, file) : a.sparseTensor && denseOf(a.sparseTensor, p.external, file))),
    ),
    dtype: reader<DType>(
      ['int'],
      'an int',
      a => dtypeOf(a.i ?? 0) ?? fail('E106', { type: dataTypeName(a.i ?? 0), what: `attribute '${a.name}' of ${op}` }, loc),
    ),
    graph: reader<GraphProto>(['graph'], 'a graph', a => a.g),
    attr: name => attrs.get(name),
    reject,
    unsupported: why => {
      throw new Unsupported(op, why, loc);
    },
  };
}
