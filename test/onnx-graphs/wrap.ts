/** Models some of whose nodes stand inside something: a function of the model, branches of an If, the body of a Loop that runs once. */
import { int, sub, text, type Part } from '../onnx-writer.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { fileOf, nodePart, type Model, type Node, type Written } from './model.ts';

type Next = () => number;
const pick = <T>(next: Next, list: readonly T[]): T => must(list[Math.floor(next() * list.length)]);
/** What goes inside, and the names that it takes from outside and gives. */
interface Cut {
  readonly inside: readonly Node[];
  readonly takes: readonly string[];
  readonly gives: readonly string[];
}
interface Wrapped {
  readonly constants: ReadonlyMap<string, Tensor>;
  /** In the place of what went inside. */
  readonly nodes: readonly Part[];
  readonly model?: readonly Part[];
}
const scalar = (dtype: 'i64' | 'bool' | 'f32', n: number): Tensor => fromNumbers(dtype, [], [n]);
const inner = (name: string): string => (name === '' ? '' : `in.${name}`);
/** Names made inside must not be those outside. */
const renamed = ({ inside }: Cut, to: (name: string) => string): Node[] => {
  const made = new Set(inside.flatMap(n => n.outputs));
  const name = (x: string): string => (made.has(x) ? to(x) : x);
  return inside.map(n => ({ ...n, inputs: n.inputs.map(name), outputs: n.outputs.map(name) }));
};
const graphAttribute = (name: string, ...parts: Part[]): Part => sub(5, text(1, name), sub(6, ...parts), int(20, 5));
const bodyOf = (nodes: readonly Node[], outputs: readonly string[], ...more: Part[]): Part[] => [
  ...nodes.map(n => nodePart(n)),
  text(2, 'body'),
  ...more,
  ...outputs.map(o => sub(12, text(1, o))),
];

function inFunction(p: Cut, m: Model, next: Next, hurt: boolean): Wrapped {
  const how = hurt ? pick(next, ['itself', 'fewer', 'more', 'missing', 'twice', 'unset'] as const) : 'right';
  const call: Node = {
    op: how === 'missing' ? 'Other' : 'Part',
    domain: 'local',
    inputs: how === 'fewer' ? p.takes.slice(1) : how === 'more' ? [...p.takes, ...p.takes, ''] : p.takes,
    outputs: p.gives,
    attrs: {},
  };
  const definition = sub(
    25,
    text(1, 'Part'),
    ...p.takes.map(x => text(4, x)),
    ...p.gives.map(x => text(5, how === 'unset' ? `${x}?` : x)),
    ...p.inside.map(n => nodePart(n, 7)),
    ...(how === 'itself' ? [nodePart(call, 7)] : []),
    sub(9, int(2, m.opset)),
    sub(9, text(1, 'local'), int(2, 1)),
    text(10, 'local'),
  );
  const opset = sub(8, text(1, 'local'), int(2, 1));
  const definitions = how === 'twice' ? [definition, definition] : [definition];
  return { constants: new Map(), nodes: [nodePart(call)], model: [opset, ...definitions] };
}
function inBranch(p: Cut, next: Next, hurt: boolean): Wrapped {
  const how = hurt ? pick(next, ['other', 'fewer', 'type', 'unset'] as const) : 'right';
  const then = renamed(p, inner);
  const other = renamed(p, name => `else.${name}`);
  const gives = p.gives.map(inner);
  const elseGives = p.gives.map(name => `else.${name}`);
  const node: Node = { op: 'If', inputs: ['wrap.cond'], outputs: p.gives, attrs: {} };
  const branches = [
    graphAttribute('then_branch', ...bodyOf(then, how === 'unset' ? [...gives, 'nowhere'] : gives)),
    graphAttribute('else_branch', ...bodyOf(other, how === 'fewer' ? elseGives.slice(1) : elseGives)),
  ];
  const cond = scalar(how === 'type' ? 'f32' : 'bool', how === 'other' ? 0 : 1);
  return { constants: new Map([['wrap.cond', cond]]), nodes: [nodePart(node, 1, ...branches)] };
}
const TRIPS = [-(2 ** 31), -1, 0, 2, 3, 1000, 2 ** 31, 2 ** 53 - 1];
function inLoop(p: Cut, m: Model, next: Next, hurt: boolean): Wrapped {
  const how = hurt ? pick(next, ['trips', 'never', 'open', 'fewer'] as const) : 'right';
  const body = renamed(p, inner);
  const always: Node = { op: 'Identity', inputs: ['wrap.go'], outputs: ['wrap.still'], attrs: {} };
  const value = (name: string, type: number): Part => sub(11, text(1, name), sub(2, sub(1, int(1, type), sub(2))));
  const outputs = ['wrap.still', ...p.gives.map(inner)];
  const node: Node = {
    op: 'Loop',
    inputs: how === 'open' ? ['', 'wrap.cond'] : ['wrap.trips', 'wrap.cond'],
    outputs: p.gives.map(name => `all.${name}`),
    attrs: {},
  };
  const inputs = [value('wrap.round', 7), value('wrap.go', 9)];
  const graph = bodyOf([always, ...body], how === 'fewer' ? outputs.slice(1) : outputs, ...inputs);
  const late = m.opset >= 13;
  const first = p.gives.map((name): Node => ({
    op: 'Squeeze',
    inputs: [`all.${name}`, ...(late ? ['wrap.first'] : [])],
    outputs: [name],
    attrs: late ? {} : { axes: [0] },
  }));
  return {
    constants: new Map([
      ['wrap.trips', scalar('i64', how === 'trips' ? pick(next, TRIPS) : 1)],
      ['wrap.cond', scalar('bool', how === 'never' ? 0 : 1)],
      ['wrap.first', fromNumbers('i64', [1], [0])],
    ]),
    nodes: [nodePart(node, 1, graphAttribute('body', ...graph)), ...first.map(n => nodePart(n))],
  };
}
/**
 * The file of a model, with one to four of its nodes inside something. It computes the same, unless it is `hurt`: then the function,
 * branch or loop is not what it should be.
 */
export function wrappedFile(next: Next, m: Model, hurt: boolean): Uint8Array {
  const from = Math.floor(next() * m.nodes.length);
  const to = Math.min(m.nodes.length, from + 1 + Math.floor(next() * 4));
  const inside = m.nodes.slice(from, to);
  const outside = [...m.nodes.slice(0, from), ...m.nodes.slice(to)];
  const made = new Set(inside.flatMap(n => n.outputs).filter(o => o !== ''));
  const wanted = new Set([...m.outputs, ...outside.flatMap(n => n.inputs)]);
  const part: Cut = {
    inside,
    takes: [...new Set(inside.flatMap(n => n.inputs))].filter(x => x !== '' && !made.has(x)),
    gives: [...made].filter(o => wanted.has(o)),
  };
  const wrap = pick(next, [
    () => inFunction(part, m, next, hurt),
    () => inBranch(part, next, hurt),
    () => inLoop(part, m, next, hurt),
  ])();
  const before = m.nodes.slice(0, from).map(n => nodePart(n));
  const after = m.nodes.slice(to).map(n => nodePart(n));
  const written: Written = { nodes: [...before, ...wrap.nodes, ...after], ...(wrap.model && { model: wrap.model }) };
  return fileOf({ ...m, constants: new Map([...m.constants, ...wrap.constants]) }, written);
}
