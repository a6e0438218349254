import { indexTuples } from '../../shared/gather.ts';
import { GatherND } from '../../../ops/movement/gather.ts';
import type { Op } from '../../../ops/define.ts';
import { Add, Sub } from '../../../ops/elementwise/index.ts';
import type { Value } from '../../../graph/graph.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';
import { gatherAlong } from './gather.ts';

/** Variables. What their handles stand for is known at import, so they are constants where nothing assigns them, and states elsewhere. */

const handle: TfBuilder = n => [{ k: 'handle', key: n.name }];
const valueOf = (n: TfNode, c: TfCtx, key: string): Value =>
  c.resources.variable(key) ??
  n.reject(`variable '${key}' has no value: the checkpoint has none, and nothing before assigns one`);
const read: TfBuilder = (n, c) => [valueOf(n, c, n.handle(0))];
/** Of TensorFlow 1 a variable is its value. */
const variable: TfBuilder = (n, c) => [valueOf(n, c, n.name)];
const gather: TfBuilder = (n, c) => [
  gatherAlong(n, c, valueOf(n, c, n.handle(0)), n.input(1), n.int('batch_dims', 0), n.int('batch_dims', 0)),
];
const gatherNd: TfBuilder = (n, c) => {
  const x = valueOf(n, c, n.handle(0));
  return [c.apply1(GatherND, [x, indexTuples(c, x, n.input(1), 0, false)], { batch: 0 })];
};
const shape: TfBuilder = (n, c) => [c.literal(n.dtype('out_type', 'i32'), valueOf(n, c, n.handle(0)).type.shape.map(Number))];

const assign =
  (by?: Op): TfBuilder =>
  (n, c) => {
    const [key, v] = [n.handle(0), n.input(1)];
    c.resources.assign(key, by ? c.apply1(by, [valueOf(n, c, key), v]) : v);
    return [];
  };

export const resourceOps: TfOps = {
  AssignAddVariableOp: assign(Add),
  AssignSubVariableOp: assign(Sub),
  AssignVariableOp: assign(),
  ReadVariableOp: read,
  ResourceGather: gather,
  ResourceGatherNd: gatherNd,
  VarHandleOp: handle,
  Variable: variable,
  VariableShape: shape,
  VariableV2: variable,
};
