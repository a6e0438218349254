import type { Value } from '../../graph/graph.ts';
import { decodeMessage } from '../shared/protobuf.ts';
import { isValue, type Item as TfItem } from '../tensorflow/item.ts';
import { TfNode } from '../tensorflow/node.ts';
import { tfOps } from '../tensorflow/ops/index.ts';
import type { TfBuilder, TfCtx } from '../tensorflow/registry.ts';
import { Node } from '../tensorflow/schema.ts';
import { readFlex } from './flexbuffer.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from './registry.ts';
import { isComplex } from './tensor.ts';

/** Operators of TensorFlow itself in a file of TFLite: custom operators of these names, whose options hold a NodeDef. */
export const FLEX = 'Flex';

/** Functions, variables and tables are not in the file. */
function contextOf(c: TfliteCtx): TfCtx {
  const none = (): never => c.unsupported('functions of TensorFlow are not in the file');
  return { ...c, call: none, bodies: none, resources: { variable: none, assign: none, table: none } };
}
const fileOf = ({ loc }: TfliteNode): string => (loc.k === 'part' ? loc.file : '');
/** The options are a list of the operator's name and its NodeDef. */
function definition(n: TfliteNode) {
  const list = readFlex(n.customOptions, why => n.reject(why));
  const bytes = Array.isArray(list) ? (list as readonly unknown[])[1] : undefined;
  if (!(bytes instanceof Uint8Array)) return n.reject('its options hold no node of TensorFlow');
  return decodeMessage(bytes, Node, 'a NodeDef', fileOf(n));
}
const flex =
  (build: TfBuilder): TfliteBuilder =>
  (n, c) => {
    const inputs = n.items.map((_, i): TfItem | undefined => {
      const v = n.optional(i);
      return v && isComplex(n.operand(i)) ? { k: 'complex', pair: v } : v;
    });
    const wanted = new Set(n.results.keys());
    const node = new TfNode({
      def: definition(n),
      inputs,
      loc: n.loc,
      file: fileOf(n),
      room: { take: (elements, what) => c.room(elements, what) },
      wanted,
    });
    return build(node, contextOf(c)).map((x): Value | undefined => {
      if (x === undefined || isValue(x)) return x;
      return x.k === 'complex' ? x.pair : n.unsupported('a result that is no tensor');
    });
  };

export const flexOps: TfliteOps = Object.fromEntries([...tfOps].map(([name, build]) => [FLEX + name, flex(build)]));
