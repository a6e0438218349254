import { fail, InternalError, located, must, noLoc, type Loc } from '../core/diagnostic.ts';
import { evalDim, type Dim } from '../core/dim.ts';
import { toNumbers, type Tensor } from '../core/tensor.ts';
import { asSpelt, asTexts, listed, relisted, textList } from '../core/texts.ts';
import { showType, type TensorType } from '../core/shape.ts';
import { bindAll, checkGuards, concrete, showMisfit, type Bindings } from '../core/bind.ts';
import { nodesOf, type Graph, type Node, type Value } from './graph.ts';

/**
 * The reference evaluator: what every other way of running a model is compared with. It runs each operator's `eval` in dependency
 * order, gives symbols their values from the sizes that come out, and checks on the way that types, sizes and tracked contents are
 * what inference said.
 */
interface EvaluateOptions {
  readonly texts?: readonly string[] | undefined;
  /** Sees each node of the outermost graph after it ran. */
  onNode?(node: Node, outputs: readonly Tensor[]): void;
}

/** Runs a graph. E501: an input is missing, unknown or does not fit. E502: the data break what the model takes for granted. */
export function evaluate(g: Graph, inputs: ReadonlyMap<string, Tensor>, opts: EvaluateOptions = {}): Map<string, Tensor> {
  const env: Bindings = new Map();
  const list = textList(g.texts);
  const given = matchInputs(g, inputs).map(t => relisted(t, list));
  bindInputs(g, given, env);
  const outs = run(g, given, env, { ...opts, texts: g.texts ?? [] });
  return new Map(
    g.outputs.map((o, i) => {
      const t = must(outs[i]);
      return [o.name, g.spelt?.outputs.includes(o.name) === true ? asTexts(t) : listed(t, list)];
    }),
  );
}

/** Whether inputs are what a graph takes, in names, types and sizes: E501 where not. */
export function checkInputs(g: Graph, inputs: ReadonlyMap<string, Tensor>): void {
  bindInputs(g, matchInputs(g, inputs), new Map());
}
function matchInputs(g: Graph, inputs: ReadonlyMap<string, Tensor>): Tensor[] {
  const names = g.inputs.map(nameOf);
  for (const name of inputs.keys())
    if (!names.includes(name))
      fail('E501', { input: `'${name}'`, why: `the model has no such input; it has ${names.join(', ')}` });
  return g.inputs.map((v, i) => {
    const name = names[i] ?? '';
    const input = `'${name}'`;
    const given = inputs.get(name) ?? fail('E501', { input, why: 'it is missing' });
    const t = g.spelt?.inputs.includes(name) === true ? asSpelt(given) : given;
    if (t.dtype !== v.type.dtype) fail('E501', { input, why: `has type ${t.dtype}, must be ${v.type.dtype}` });
    if (t.dims.length !== v.type.shape.length)
      fail('E501', { input, why: `has shape [${t.dims.join(',')}], must be ${showType(v.type)}` });
    return t;
  });
}
const nameOf = (v: Value): string => (v.def.k === 'node' ? '' : v.def.name);

/** Gives the symbols in the inputs' sizes their values. */
function bindInputs(g: Graph, given: readonly Tensor[], env: Bindings): void {
  const pairs = g.inputs.flatMap((v, i) =>
    v.type.shape.map((want, axis) => ({ want, got: must(given[i]).dims[axis] ?? 0, name: nameOf(v), axis })),
  );
  const left = bindAll(pairs, env, (p, m) => fail('E501', { input: `'${p.name}'`, why: `size ${p.axis} ${showMisfit(m)}` }));
  const [p] = left;
  if (p) fail('E501', { input: `'${p.name}'`, why: `size ${p.axis} does not tell its symbols` });
}

/** The order of a graph's nodes and which values each is the last to use. */
interface Plan {
  readonly nodes: readonly Node[];
  readonly dies: readonly (readonly Value[])[];
  readonly live: ReadonlySet<Value>;
}
const plans = new WeakMap<Graph, Plan>();
function planOf(g: Graph): Plan {
  const had = plans.get(g);
  if (had) return had;
  const nodes = nodesOf(g);
  const last = new Map<Value, number>();
  nodes.forEach((n, i) => n.inputs.forEach(v => v && last.set(v, i)));
  const live = new Set<Value>(last.keys());
  for (const o of g.outputs) {
    live.add(o.value);
    last.delete(o.value);
  }
  const dies: Value[][] = nodes.map(() => []);
  for (const [v, i] of last) dies[i]?.push(v);
  const plan = { nodes, dies, live };
  plans.set(g, plan);
  return plan;
}

/** Runs a graph on tensors for its inputs, with values for the symbols of the graphs around it; adds its own to `env`. */
function run(g: Graph, inputs: readonly Tensor[], env: Bindings, opts: EvaluateOptions): readonly Tensor[] {
  const { nodes, dies, live } = planOf(g);
  const tensors = new Map<Value, Tensor>();
  const get = (v: Value): Tensor =>
    v.def.k === 'const' ? v.def.tensor : (tensors.get(v) ?? impossible(`a value of type ${showType(v.type)} has no tensor`));
  g.inputs.forEach((v, i) => tensors.set(v, must(inputs[i])));
  nodes.forEach((n, i) => {
    const outs = evalNode(
      n,
      n.inputs.map(v => v && get(v)),
      env,
      opts.texts,
    );
    n.outputs.forEach((v, o) => {
      if (live.has(v)) tensors.set(v, must(outs[o]));
    });
    for (const v of dies[i] ?? []) tensors.delete(v);
    opts.onNode?.(n, outs);
  });
  return g.outputs.map(o => get(o.value));
}

/** Runs one node, binds the symbols that its outputs tell and checks the outputs against their inferred types. */
export function evalNode(
  n: Node,
  ins: readonly (Tensor | undefined)[],
  env: Bindings,
  texts?: readonly string[],
): readonly Tensor[] {
  const fails = (why: string): never => fail('E502', { why }, n.loc);
  const later = checkGuards(n.guards, env, fails);
  const dim = (d: Dim): number => evalDim(d, env);
  const outs = located(n.loc, () =>
    n.op.eval(
      {
        attrs: n.attrs,
        out: n.outputs.map(v => v.type),
        dim,
        dims: i => concrete(must(n.outputs[i]).type.shape, env),
        graph: (g, inputs) => runSubgraph(g, inputs, env, texts),
        texts,
      },
      ...ins,
    ),
  );
  if (outs.length < n.outputs.length)
    impossible(`${n.op.name} gave ${outs.length} results where ${n.outputs.length} were inferred`);
  n.outputs.forEach((v, i) => {
    const t = must(outs[i]);
    fits(v.type, t, env, why => impossible(`${n.op.name}: result ${i} ${why} (inferred ${showType(v.type)})`), n.loc);
    if (v.symbolic) tells(v.symbolic, t, env, n.loc, why => impossible(`${n.op.name}: contents of result ${i} ${why}`));
  });
  checkGuards(later, env, fails);
  return outs;
}

function runSubgraph(g: Graph, inputs: readonly Tensor[], outer: Bindings, texts?: readonly string[]): readonly Tensor[] {
  const env: Bindings = new Map(outer);
  if (inputs.length !== g.inputs.length) impossible(`a sub-graph of ${g.inputs.length} inputs was given ${inputs.length}`);
  g.inputs.forEach((v, i) => {
    const t = must(inputs[i]);
    fits(v.type, t, env, why => impossible(`input ${nameOf(v)} of a sub-graph ${why}`), noLoc);
    if (v.symbolic) tells(v.symbolic, t, env, noLoc, why => impossible(`contents of input ${nameOf(v)} of a sub-graph ${why}`));
  });
  return run(g, inputs, env, { texts });
}

/** Checks a tensor against its type and binds the symbols that its sizes tell. */
function fits(type: TensorType, t: Tensor, env: Bindings, wrong: (why: string) => never, loc: Loc): void {
  if (t.dtype !== type.dtype) wrong(`has type ${t.dtype}`);
  if (t.dims.length !== type.shape.length) wrong(`has shape [${t.dims.join(',')}]`);
  bindAll(
    type.shape.map((want, axis) => ({ want, got: t.dims[axis] ?? 0, axis })),
    env,
    (p, m) =>
      m.k === 'range' ? fail('E502', { why: `size ${p.axis} ${showMisfit(m)}` }, loc) : wrong(`size ${p.axis} ${showMisfit(m)}`),
  );
}
/** Checks tracked contents and binds the symbols among them. */
function tells(known: readonly Dim[], t: Tensor, env: Bindings, loc: Loc, wrong: (why: string) => never): void {
  const values = toNumbers(t);
  if (values.length !== known.length) wrong(`are ${values.length} numbers, ${known.length} were inferred`);
  bindAll(
    known.map((want, i) => ({ want, got: values[i] ?? 0 })),
    env,
    (_, m) =>
      m.k === 'range' ? fail('E502', { why: `a size that the model computes ${showMisfit(m)}` }, loc) : wrong(showMisfit(m)),
  );
}

function impossible(why: string): never {
  throw new InternalError(why);
}
