import { fail } from '../../core/diagnostic.ts';
import { allows } from '../shared/pickle-names.ts';
import { labelsOf } from '../shared/pickle-numpy.ts';
import { attribute, isPickled, type Pickled } from '../shared/pickle-value.ts';
import { readPickle } from '../shared/pickle.ts';

const isAllowed = allows([
  /^xgboost\.(?:core\.Booster|sklearn\.(?:XGB|XGBRF)(?:Model|Classifier|Regressor|Ranker)|compat\.XGBoostLabelEncoder|sklearn\.XGBoostLabelEncoder)$/,
  /^xgboost\.callback\.(?:EarlyStopping|EvaluationMonitor|LearningRateScheduler|TrainingCheckPoint)$/,
]);

/** What a file of torch.save before 1.6 begins with (MAGIC_NUMBER in torch/serialization.py). */
const TORCH = 0x1950a86a20f9469cfc6cn;

/** A booster as a pickle holds it. */
interface PickledBooster {
  /** What XGBoost's own serialization wrote: the binary form, a snapshot, JSON or UBJSON. */
  readonly handle: Uint8Array;
  readonly featureNames: readonly string[];
  /** `best_ntree_limit` of the booster: what SageMaker's containers predict with. */
  readonly treeLimit?: number;
  /** Of the scikit-learn wrapper around it. */
  readonly wrapper?: {
    readonly name: string;
    readonly missing: number;
    readonly bestIteration: number | undefined;
    readonly labels: readonly string[] | undefined;
  };
}
/**
 * The booster in a pickle, alone or in its scikit-learn wrapper. Nothing is executed.
 * E202: another thing than those, or an opcode or a name that they do not need. E203: cut off.
 */
export function readPickledBooster(bytes: Uint8Array, file: string): PickledBooster {
  const root = readPickle(bytes, file, isAllowed);
  const refuse = (why: string): never => fail('E202', { file, why }, { k: 'file', file, what: 'pickle' });
  if (root === TORCH) return refuse('it is written by PyTorch; export it as ONNX (torch.onnx.export) and compile that');
  if (!isPickled(root, 'object') || !root.of.startsWith('xgboost.'))
    return refuse(`it is a pickle of ${kind(root)}, not of an XGBoost model`);
  if (root.of === 'xgboost.core.Booster') return booster(root, refuse);
  const inner = attribute(root, '_Booster');
  if (!isPickled(inner, 'object')) return refuse(`its ${root.of} is not trained`);
  const best = attribute(root, 'best_iteration');
  return {
    ...booster(inner, refuse),
    wrapper: {
      name: root.of.split('.').at(-1) ?? '',
      missing: scalar(attribute(root, 'missing')) ?? NaN,
      bestIteration: scalar(best) ?? scalar(attribute(inner, 'best_iteration')),
      labels: labelsOf(attribute(attribute(root, '_le'), 'classes_') ?? attribute(root, 'classes_')),
    },
  };
}
function kind(p: Pickled): string {
  if (isPickled(p, 'object')) return p.of;
  if (isPickled(p, 'list') || isPickled(p, 'dict')) return `a ${p.k}`;
  return p instanceof Uint8Array ? 'bytes' : `the value ${String(p instanceof Object ? p.k : p).slice(0, 40)}`;
}
function booster(p: Pickled, refuse: (why: string) => never): PickledBooster {
  const handle = attribute(p, 'handle');
  if (!(handle instanceof Uint8Array)) return refuse('its booster holds no model');
  const names = attribute(p, 'feature_names');
  const limit = scalar(attribute(p, 'best_ntree_limit'));
  const featureNames = isPickled(names, 'list') && names.items.every(n => typeof n === 'string') ? names.items : [];
  return { handle, featureNames, ...(limit !== undefined && { treeLimit: limit }) };
}
/** A number, also as NumPy keeps it. */
function scalar(p: Pickled | undefined): number | undefined {
  if (typeof p === 'number') return p;
  if (!isPickled(p, 'object') || p.of !== 'numpy.core.multiarray.scalar') return undefined;
  const [dtype, raw] = p.args;
  const type = isPickled(dtype, 'object') ? dtype.args[0] : undefined;
  if (!(raw instanceof Uint8Array) || typeof type !== 'string') return undefined;
  const v = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  if (type === 'f4' && raw.length === 4) return v.getFloat32(0, true);
  if (type === 'f8' && raw.length === 8) return v.getFloat64(0, true);
  if (type === 'i8' && raw.length === 8) return Number(v.getBigInt64(0, true));
  return type === 'i4' && raw.length === 4 ? v.getInt32(0, true) : undefined;
}
