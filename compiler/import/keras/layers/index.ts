import { elementwiseOps } from '../ops/elementwise.ts';
import { nnOps } from '../ops/nn.ts';
import { reduceOps } from '../ops/reduce.ts';
import { shapeOps } from '../ops/shape.ts';
import { functionLayers } from '../ops/tf-functions.ts';
import type { LayerBuilder, LayerTable } from '../registry.ts';
import { activationLayers } from './activations.ts';
import { attentionLayers } from './attention.ts';
import { convLayers } from './conv.ts';
import { denseLayers } from './dense.ts';
import { mergeLayers } from './merge.ts';
import { normLayers } from './norm.ts';
import { plainLayers } from './plain.ts';
import { poolLayers } from './pool.ts';
import { rnnLayers } from './rnn.ts';
import { shapeLayers } from './shape.ts';

const tables: readonly LayerTable[] = [
  denseLayers,
  activationLayers,
  mergeLayers,
  convLayers,
  poolLayers,
  shapeLayers,
  normLayers,
  plainLayers,
  rnnLayers,
  attentionLayers,
  elementwiseOps,
  reduceOps,
  shapeOps,
  nnOps,
  functionLayers({ ...elementwiseOps, ...reduceOps, ...shapeOps, ...nnOps }),
];
/** The layers by their classes; operations of keras.ops begin with `ops.`. */
export const layerTable: ReadonlyMap<string, LayerBuilder> = new Map(tables.flatMap(t => Object.entries(t)));
/** Operations are no layers: they have no weights, and take tensors as they are. */
export const isOperation = (cls: string): boolean => cls.startsWith('ops.');
/** Layers that hand the mask of their first tensor on, where they say nothing else (`supports_masking` of Keras). */
export const PASS_MASKS: ReadonlySet<string> = new Set([
  'Activation',
  'ActivityRegularization',
  'AlphaDropout',
  'BatchNormalization',
  'Dense',
  'Dropout',
  'ELU',
  'GaussianDropout',
  'GaussianNoise',
  'GroupNormalization',
  'Identity',
  'LayerNormalization',
  'LeakyReLU',
  'PReLU',
  'ReLU',
  'Rescaling',
  'Softmax',
  'SpatialDropout1D',
  'SpatialDropout2D',
  'SpatialDropout3D',
  'ThresholdedReLU',
  'TimeDistributed',
  'UnitNormalization',
]);
