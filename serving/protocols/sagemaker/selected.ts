import { ServeError } from '../../core/errors.ts';
import { pythonFloat, pythonJsonFloat } from '../../core/python.ts';
import type { Predictions } from './predictions.ts';
import { writeRecordio } from './recordio.ts';

/** What a model is for, as XGBoost names it, and how many classes it has. */
export interface Objective {
  readonly objective: string;
  readonly classes: number;
}
/** A value as Python has it: integers print without a point. */
type Value = { readonly k: 'int' | 'float'; readonly v: number } | { readonly k: 'list'; readonly of: readonly Value[] };
const int = (v: number): Value => ({ k: 'int', v });
const float = (v: number): Value => ({ k: 'float', v });
const list = (of: readonly Value[]): Value => ({ k: 'list', of });

type Key = 'predicted_label' | 'labels' | 'probability' | 'probabilities' | 'raw_score' | 'raw_scores' | 'predicted_score';
const SCORE: readonly Key[] = ['predicted_score'];
const RAW: readonly Key[] = ['predicted_label', 'labels', 'raw_score', 'raw_scores'];
const ALL: readonly Key[] = ['predicted_label', 'labels', 'probability', 'probabilities', 'raw_score', 'raw_scores'];
const VALID: Readonly<Record<string, readonly Key[]>> = {
  'reg:squarederror': SCORE,
  'reg:logistic': SCORE,
  'reg:gamma': SCORE,
  'reg:absoluteerror': SCORE,
  'reg:tweedie': SCORE,
  'binary:logistic': ALL,
  'binary:logitraw': RAW,
  'binary:hinge': RAW,
  'multi:softmax': RAW,
  'multi:softprob': ALL,
};
const isKey = (key: string, keys: readonly Key[]): key is Key => keys.some(k => k === key);

function valueOf(key: Key, { objective, classes }: Objective, row: readonly number[]): Value {
  const [one = NaN] = row;
  const several = objective === 'multi:softprob';
  const most = Math.max(...row);
  const all = (): Value => list(several ? row.map(float) : [float(1 - one), float(one)]);
  switch (key) {
    case 'predicted_score':
      return float(one);
    case 'predicted_label':
      if (objective === 'binary:logistic') return int(one > 0.5 ? 1 : 0);
      if (objective === 'binary:logitraw') return int(one > 0 ? 1 : 0);
      return several ? int(row.indexOf(most)) : float(one);
    case 'labels':
      if (objective.startsWith('binary:')) return list([int(0), int(1)]);
      return list(Array.from({ length: classes }, (_, i) => int(i)));
    case 'probability':
    case 'raw_score':
      return float(several ? most : one);
    case 'probabilities':
    case 'raw_scores':
      return all();
  }
}
const numbersOf = (v: Value): readonly number[] => (v.k === 'list' ? v.of.flatMap(numbersOf) : [v.v]);
function print(v: Value, number: (v: number) => string): string {
  if (v.k === 'list') return `[${v.of.map(x => print(x, number)).join(', ')}]`;
  return v.k === 'int' ? String(v.v) : number(v.v);
}

/**
 * The parts of predictions that `SAGEMAKER_INFERENCE_OUTPUT` names, as the container of XGBoost encodes them; what the objective does not
 * have is NaN. 500 for objectives and types of content that it does not know, as there.
 */
export function encodeSelected(
  p: Predictions,
  wanted: string,
  about: Objective | undefined,
  accept: string,
  batch: boolean,
): string | Uint8Array {
  const keys = wanted.replaceAll(' ', '').toLowerCase().split(',');
  const valid = about && Object.hasOwn(VALID, about.objective) ? VALID[about.objective] : undefined;
  if (!about || !valid)
    throw new ServeError(500, `Objective \`${about?.objective ?? ''}\` unsupported for selectable inference predictions.`);
  const { width = 1 } = p;
  const answers = Array.from({ length: p.rows }, (_, r) => {
    const row = Array.from({ length: width }, (_, i) => p.data[r * width + i] ?? NaN);
    return new Map(keys.map(key => [key, isKey(key, valid) ? valueOf(key, about, row) : float(NaN)]));
  });
  // In the container's order: first what the objective has, in the order of its list, then the rest as it was asked for.
  const order = [...ALL, ...SCORE].filter(k => keys.includes(k) && valid.includes(k));
  const ordered: readonly string[] = [...order, ...keys.filter(k => !isKey(k, valid))];
  const NAN = float(NaN);
  const object = (a: ReadonlyMap<string, Value>): string =>
    `{${ordered.map(k => `${JSON.stringify(k)}: ${print(a.get(k) ?? NAN, pythonJsonFloat)}`).join(', ')}}`;
  switch (accept) {
    case 'application/json':
      return `{"predictions": [${answers.map(object).join(', ')}]}`;
    case 'application/jsonlines':
      return answers.map(a => `${object(a)}\n`).join('');
    case 'application/x-recordio-protobuf':
      return writeRecordio(answers.map(a => Object.fromEntries(ordered.map(k => [k, numbersOf(a.get(k) ?? NAN)]))));
    case 'text/csv': {
      const field = (v: Value): string => (v.k === 'list' ? `"${print(v, pythonFloat)}"` : print(v, pythonFloat));
      return answers.map(a => keys.map(k => field(a.get(k) ?? NAN)).join(',')).join('\n') + (batch ? '\n' : '');
    }
    default:
      throw new ServeError(500, `Cannot encode selected predictions into accept type '${accept}'.`);
  }
}
