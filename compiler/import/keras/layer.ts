import { fail } from '../../core/diagnostic.ts';
import { isFloat, type DType } from '../../core/dtype.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import type { Layout } from '../../ops/spatial.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import { asNumber, field, type Json } from '../shared/json.ts';
import { layoutOf } from '../shared/tensorflow/window.ts';
import { cast } from '../shared/views.ts';
import { dtypeNamed, policyOf } from './dtype.ts';
import { badConfig, layerRecord, type JsonObject, type LayerRecord } from './records.ts';
import type { Weights } from './weights.ts';

/** The versions that differ in what they write and mean. */
export type KerasVersion = 1 | 2 | 3;

/** A layer as builders read it. Readers give E203 where the configuration has something else, or nothing and there is no default. */
export interface LayerView {
  readonly cls: string;
  readonly name: string;
  readonly version: KerasVersion;
  readonly config: JsonObject;
  readonly record: LayerRecord;
  readonly weights: Weights;
  /** What the layer computes in. */
  readonly dtype: DType;
  /** The name of its quantization, such as `int8`; empty where it has none. */
  readonly quantized: string;
  /** channels_last or channels_first. */
  readonly layout: Layout;
  json(key: string): Json | undefined;
  int(key: string, otherwise?: number): number;
  float(key: string, otherwise?: number): number;
  bool(key: string, otherwise?: boolean): boolean;
  text(key: string, otherwise?: string): string;
  /** Integers: a list, or one for all of `count`. */
  ints(key: string, count?: number, otherwise?: number): number[];
  /** An integer or null. */
  optional(key: string): number | undefined;
  /** Variables in the order in which the layer makes them, without those that are false; as constants of the type that it computes in. */
  variables(...names: readonly (string | false)[]): Value[];
  /** A variable as it is in the file; undefined where there is none. */
  variable(name: string, place: number): Tensor | undefined;
  /** A layer in the configuration under a key. */
  inner(key: string): LayerRecord;
  /** The configuration is wrong: E203. */
  bad(why: string): never;
}

export function layerView(
  c: ImportBuilder,
  file: string,
  version: KerasVersion,
  record: LayerRecord,
  weights: Weights,
): LayerView {
  const { config, cls, name } = record;
  const bad = (why: string): never =>
    fail('E203', { file, why: `its configuration: ${why}` }, { k: 'part', file, kind: 'layer', name, op: cls });
  const policy = policyOf(config['dtype'] ?? null);
  const dtype = policy.compute;
  const get = <T>(key: string, what: string, is: (j: Json) => T | undefined, otherwise: T | undefined): T => {
    const j = Object.hasOwn(config, key) ? config[key] : undefined;
    if (j === undefined || j === null) return otherwise ?? bad(`'${key}' is missing`);
    return is(j) ?? bad(`'${key}' is ${JSON.stringify(j).slice(0, 60)}, must be ${what}`);
  };
  const whole = (j: Json): number | undefined => (typeof j === 'number' && Number.isInteger(j) ? j : undefined);
  const list = (j: Json): number[] | undefined =>
    Array.isArray(j) && j.every(x => whole(x as Json) !== undefined) ? (j as number[]) : undefined;
  const view: LayerView = {
    cls,
    name,
    version,
    config,
    record,
    weights,
    dtype,
    quantized: policy.quantized,
    get layout() {
      return layoutOf(view.text('data_format', 'channels_last'));
    },
    json: key => (Object.hasOwn(config, key) ? config[key] : undefined),
    int: (key, otherwise) => get(key, 'an integer', whole, otherwise),
    float: (key, otherwise) => get(key, 'a number', j => asNumber(field(field(j, 'config'), 'value') ?? j), otherwise),
    bool: (key, otherwise) => get(key, 'true or false', j => (typeof j === 'boolean' ? j : undefined), otherwise),
    text: (key, otherwise) => get(key, 'a text', j => (typeof j === 'string' ? j : undefined), otherwise),
    ints: (key, count, otherwise) => {
      const all = (n: number): number[] => new Array<number>(count ?? 1).fill(n);
      const read = (j: Json): number[] | undefined => {
        const one = whole(j);
        return one === undefined ? list(j) : all(one);
      };
      const got = get(key, 'integers', read, otherwise === undefined ? undefined : all(otherwise));
      return count === undefined || got.length === count ? got : bad(`'${key}' has ${got.length} numbers, must have ${count}`);
    },
    optional: key => (config[key] === undefined || config[key] === null ? undefined : view.int(key)),
    variables: (...names) =>
      names
        .filter(x => x !== false)
        .map((v, place) => {
          const t = weights.variable(v, place);
          if (!t) {
            const there = weights.names().slice(0, 8).join(', ');
            return fail(
              'E203',
              { file, why: `the layer has no weight '${v}' in ${weights.where}${there === '' ? '' : ` (there are ${there})`}` },
              { k: 'part', file, kind: 'layer', name, op: cls },
            );
          }
          const value = c.constant(t, `${name}/${v}`);
          return isFloat(t.dtype) ? cast(c, value, dtype) : value;
        }),
    variable: (v, place) => weights.variable(v, place),
    inner: key => layerRecord(view.json(key), badConfig(file)),
    bad,
  };
  return view;
}
/** A type by its name in the configuration; E106 where Sinter has none. */
export const dtypeOr = (j: Json | undefined, otherwise: DType): DType =>
  typeof j === 'string' ? (dtypeNamed(j) ?? otherwise) : otherwise;
