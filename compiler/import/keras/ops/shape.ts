import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimMul, dimProd, dimSub, staticDims, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { GatherElements, Trilu } from '../../../ops/movement/gather.ts';
import { Pad, type PadMode } from '../../../ops/movement/pad.ts';
import { axesFrom, axisOf, positionOf, rankOf } from '../../shared/axes.ts';
import { gather } from '../../shared/gather.ts';
import { indicesInto } from '../../shared/indices.ts';
import { asNumber, field, isArray, type Json } from '../../shared/json.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { oneHot } from '../../shared/tensorflow/select.ts';
import { cast, concat, cutOf, expand, flip, reshape, slice, transpose, type Cut } from '../../shared/views.ts';
import { dtypeOr, type LayerView } from '../layer.ts';
import { repeated, reshaped } from '../layers/shape.ts';
import type { CallView, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { prefixed } from './elementwise.ts';
import { alike, axesSetting, numberSetting, operand, operands, setting, single } from './operands.ts';

/** Operations that move elements. */
const tensor = (c: KerasBuilder, call: CallView): Value => operand(c, call, 'x', 0).value;
const on = (f: (n: LayerView, c: KerasBuilder, x: Value, call: CallView) => Value): LayerBuilder =>
  single((n, c, call) => f(n, c, tensor(c, call), call));
/** Whole numbers of a setting: one or a list. */
function ints(n: LayerView, call: CallView, name: string): readonly number[] {
  const j = setting(n, call, name);
  const list = isArray(j) ? Array.from(j as readonly Json[]) : [j];
  return list.map(v => (typeof v === 'number' && Number.isInteger(v) ? v : n.bad(`'${name}' is ${JSON.stringify(j)}`)));
}
const unit = (c: KerasBuilder, x: Value, axis: number): Value =>
  reshape(c, x, [...x.type.shape.slice(0, axis), 1, ...x.type.shape.slice(axis)]);
const expandDims = on((n, c, x, call) => {
  const given = axesSetting(n, call) ?? n.bad("'axis' is missing");
  const rank = rankOf(x) + given.length;
  const axes = given.map(a => positionOf(c, a < 0 ? a + rank : a, rank)).sort((a, b) => a - b);
  return axes.reduce((v, a) => unit(c, v, a), x);
});
const squeeze = on((n, c, x, call) => {
  const axes = axesSetting(n, call)?.map(a => axisOf(c, a, rankOf(x)));
  const gone = (a: number): boolean => (axes ? axes.includes(a) : x.type.shape[a] === 1);
  return reshape(
    c,
    x,
    x.type.shape.filter((_, a) => !gone(a)),
  );
});
const transposed = on((n, c, x, call) => {
  const axes = setting(n, call, 'axes');
  const rank = rankOf(x);
  return transpose(
    c,
    x,
    axes === undefined || axes === null ? axesFrom(x).reverse() : ints(n, call, 'axes').map(a => axisOf(c, a, rank)),
  );
});
const moveaxis = on((n, c, x, call) => {
  const rank = rankOf(x);
  const [from, to] = ['source', 'destination'].map(k => ints(n, call, k).map(a => axisOf(c, a, rank)));
  const order = axesFrom(x).filter(a => !must(from).includes(a));
  must(to)
    .map((t, i) => [t, must(must(from)[i])] as const)
    .sort((a, b) => a[0] - b[0])
    .forEach(([t, f]) => order.splice(t, 0, f));
  return transpose(c, x, order);
});
const swapaxes = on((n, c, x, call) => {
  const [a, b] = ['axis1', 'axis2'].map(k => axisOf(c, numberSetting(n, call, k, 0), rankOf(x)));
  const order = axesFrom(x);
  [order[must(a)], order[must(b)]] = [must(b), must(a)];
  return transpose(c, x, order);
});
const reshapeTo = on((n, c, x, call) => {
  const sizes = ints(n, call, 'newshape');
  // A batch that is open stays what it is.
  const [batch] = x.type.shape;
  if (sizes[0] === -1 && typeof batch !== 'number' && sizes.filter(s => s === -1).length === 1) {
    const [own, rest] = [dimProd(x.type.shape.slice(1)), dimProd(sizes.slice(1))];
    const whole = staticDims([own, rest]);
    if (whole && whole[0] === whole[1]) return reshape(c, x, [must(batch), ...sizes.slice(1)]);
  }
  return reshaped(c, x, [], sizes);
});
const flipped = on((n, c, x, call) =>
  flip(
    c,
    x,
    (axesSetting(n, call) ?? axesFrom(x)).map(a => axisOf(c, a, rankOf(x))),
  ),
);
const roll = on((n, c, x, call) => {
  const axes = axesSetting(n, call);
  const shifts = ints(n, call, 'shift');
  const flat = axes ? x : reshape(c, x, [dimProd(x.type.shape)]);
  const done = (axes ?? [0]).reduce((v, axis, i) => {
    const a = axisOf(c, axis, rankOf(v));
    const size = must(v.type.shape[a]);
    if (typeof size !== 'number') return c.unsupported('it rolls an axis of open size; fix it with --dim');
    if (size === 0) return v;
    const by = (((shifts[i] ?? shifts[0] ?? 0) % size) + size) % size;
    const part = (start: number, many: number): Value => slice(c, v, new Map([[a, { start, size: many, step: 1 }]]));
    return by === 0 ? v : concat(c, [part(size - by, by), part(0, size - by)], a);
  }, flat);
  return reshape(c, done, x.type.shape);
});
const repeat = on((n, c, x, call) => {
  const times = ints(n, call, 'repeats');
  const axes = axesSetting(n, call);
  const flat = axes ? x : reshape(c, x, [dimProd(x.type.shape)]);
  const axis = axisOf(c, axes?.[0] ?? 0, rankOf(flat));
  if (times.length === 1) return repeated(c, flat, axis, must(times[0]));
  c.room(
    times.reduce((a, b) => a + b, 0),
    'repeated places',
  );
  return gather(
    c,
    flat,
    c.literal(
      'i64',
      times.flatMap((t, i) => new Array<number>(t).fill(i)),
    ),
    axis,
  );
});
const tile = on((n, c, x, call) => {
  const given = ints(n, call, 'repeats');
  const rank = Math.max(given.length, rankOf(x));
  const times = [...new Array<number>(rank - given.length).fill(1), ...given];
  const shape: Dim[] = [...new Array<Dim>(rank - rankOf(x)).fill(1), ...x.type.shape];
  const apart = reshape(
    c,
    x,
    shape.flatMap(d => [1, d]),
  );
  const wide = expand(
    c,
    apart,
    shape.flatMap((d, i) => [must(times[i]), d]),
  );
  return reshape(
    c,
    wide,
    shape.map((d, i) => dimMul(d, must(times[i]))),
  );
});
const concatenate = single((n, c, call) => {
  const all = alike(c, operands(c, call));
  return concat(c, all, axisOf(c, numberSetting(n, call, 'axis', 0), rankOf(must(all[0]))));
});
const append = single((n, c, call) => {
  const all = alike(c, [operand(c, call, 'x1', 0), operand(c, call, 'x2', 1)]);
  const axes = axesSetting(n, call);
  const xs = axes ? all : all.map(x => reshape(c, x, [dimProd(x.type.shape)]));
  return concat(c, xs, axisOf(c, axes?.[0] ?? 0, rankOf(must(xs[0]))));
});
const stack = single((n, c, call) => {
  const all = alike(c, operands(c, call));
  const given = numberSetting(n, call, 'axis', 0);
  const rank = rankOf(must(all[0])) + 1;
  const axis = axisOf(c, given, rank);
  return concat(
    c,
    all.map(x => unit(c, x, axis)),
    axis,
  );
});
/** hstack, vstack and dstack: along an axis, after axes were added in front and behind. */
const stacked = (axis: number, least: number, dstack = false): LayerBuilder =>
  single((_, c, call) => {
    const all = alike(c, operands(c, call)).map(x => {
      let v = x;
      while (rankOf(v) < Math.min(least, 2)) v = unit(c, v, 0);
      return dstack && rankOf(v) === 2 ? unit(c, v, 2) : v;
    });
    return concat(c, all, rankOf(must(all[0])) === 1 ? 0 : axis);
  });
/** Parts of an axis: so many, or cut at places. */
const split =
  (uneven: boolean, own?: number): LayerBuilder =>
  (n, c, call) => {
    const x = tensor(c, call);
    const axis = axisOf(c, own ?? numberSetting(n, call, 'axis', 0), rankOf(x));
    const size = must(x.type.shape[axis]);
    const j = setting(n, call, 'indices_or_sections');
    if (typeof j === 'number') {
      if (typeof size !== 'number' || j < 1 || (!uneven && size % j !== 0))
        return c.reject(`an axis of ${typeof size === 'number' ? size : 'open size'} in ${j} parts`);
      c.room(j, 'parts');
      let at = 0;
      return Array.from({ length: j }, (_, i) => {
        const many = Math.floor(size / j) + (i < size % j ? 1 : 0);
        at += many;
        return { value: slice(c, x, new Map([[axis, { start: at - many, size: many, step: 1 }]])) };
      });
    }
    const cuts = [0, ...ints(n, call, 'indices_or_sections')];
    return cuts.map((from, i) => ({ value: slice(c, x, new Map([[axis, cutOf(size, from, cuts[i + 1] ?? size, 1)]])) }));
  };
const unstack: LayerBuilder = (n, c, call) => {
  const x = tensor(c, call);
  const axis = axisOf(c, numberSetting(n, call, 'axis', 0), rankOf(x));
  const size = must(x.type.shape[axis]);
  if (typeof size !== 'number') return c.unsupported('it takes an axis of open size apart; fix it with --dim');
  c.room(size, 'parts');
  const shape = x.type.shape.filter((_, a) => a !== axis);
  return Array.from({ length: size }, (_, i) => ({
    value: reshape(c, slice(c, x, new Map([[axis, { start: i, size: 1, step: 1 }]])), shape),
  }));
};
const take = single((n, c, call) => {
  const x = operand(c, call, 'x', 0).value;
  const at = operand(c, call, 'indices', 1).value;
  const axes = axesSetting(n, call);
  const flat = axes ? x : reshape(c, x, [dimProd(x.type.shape)]);
  return gather(
    c,
    flat,
    at.type.dtype === 'i32' || at.type.dtype === 'i64' ? at : cast(c, at, 'i32'),
    axisOf(c, axes?.[0] ?? 0, rankOf(flat)),
  );
});
const takeAlong = single((n, c, call) => {
  const [x, given] = [operand(c, call, 'x', 0).value, operand(c, call, 'indices', 1).value];
  const axis = axisOf(c, numberSetting(n, call, 'axis', -1), rankOf(x));
  const at = indicesInto(c, cast(c, given, 'i64'), [must(x.type.shape[axis])]);
  const wide = expand(c, at, x.type.shape.with(axis, must(at.type.shape[axis])));
  return c.apply1(GatherElements, [x, wide], { axis });
});
const broadcast = on((n, c, x, call) => expand(c, x, ints(n, call, 'shape')));
const pad = on((n, c, x, call) => {
  const j = setting(n, call, 'pad_width');
  const list = isArray(j) ? Array.from(j as readonly Json[]) : [j ?? 0];
  const pairOf = (v: Json | undefined): readonly [number, number] => {
    const all = isArray(v) ? Array.from(v as readonly Json[]) : [v, v];
    const [a, b] = [all[0], all[1] ?? all[0]].map(w => (typeof w === 'number' ? w : n.bad("'pad_width' has other than numbers")));
    return [must(a), must(b)];
  };
  const nested = list.some(isArray);
  const pairs = axesFrom(x).map(a => pairOf(nested ? (list.length === 1 ? list[0] : list[a]) : list));
  const mode = (setting(n, call, 'mode') ?? 'constant') as string;
  const modes: Readonly<Record<string, PadMode>> = { constant: 'constant', reflect: 'reflect', edge: 'edge', wrap: 'wrap' };
  const of = modes[mode] ?? c.unsupported(`mode '${mode}'; constant, reflect, edge and wrap are supported`);
  const value = asNumber(call.json('constant_values', 1) ?? 0) ?? 0;
  const fill = of === 'constant' && value !== 0 ? [c.literal(x.type.dtype, value)] : [];
  return c.apply1(Pad, [x, ...fill], { mode: of, begin: pairs.map(p => p[0]), end: pairs.map(p => p[1]) });
});
const hot = (many: boolean): LayerBuilder =>
  single((n, c, call) => {
    const x = call.x();
    if (setting(n, call, 'sparse') === true) return c.unsupported('sparse results');
    const depth = numberSetting(n, call, 'num_classes', 0);
    const type = dtypeOr(setting(n, call, 'dtype'), 'f32');
    const given = numberSetting(n, call, 'axis', -1);
    const rank = rankOf(x) + 1;
    const axis = many ? rank - 1 : axisOf(c, given, rank);
    const y = oneHot(c, x, depth, c.literal(type, 1), c.literal(type, 0), axis);
    if (!many) return y;
    return rankOf(x) === 0 ? y : reduceOver(c, 'max', y, [rankOf(x) > 1 ? rank - 2 : 0], false);
  });
const triangle = (upper: boolean): LayerBuilder =>
  on((n, c, x, call) => c.apply1(Trilu, [x], { upper, k: numberSetting(n, call, 'k', 0) }));
const filled = (value: number): LayerBuilder =>
  on((n, c, x, call) => expand(c, c.literal(dtypeOr(setting(n, call, 'dtype'), x.type.dtype), value), x.type.shape));

/** x[key]: numbers, slices, ellipses, new axes, in the form that Keras 3 writes. */
const getItem = single((n, c, call) => {
  const x = tensor(c, call);
  const a = call.kwargs.get('key') ?? call.args[1] ?? n.bad("'key' is missing");
  const entries: readonly (Json | Value)[] =
    a.k === 'list'
      ? a.items.map(i => (i.k === 'json' ? i.json : i.k === 'flow' ? i.flow.value : c.unsupported('lists as indices')))
      : [a.k === 'json' ? a.json : a.flow.value];
  const list = entries.length === 1 && isArray(entries[0] as Json) ? (entries[0] as readonly Json[]) : entries;
  const isNew = (k: Json | Value): boolean => k === null;
  const isDots = (k: Json | Value): boolean => field(k as Json, 'class_name') === '__ellipsis__';
  const used = list.filter(k => !isNew(k) && !isDots(k)).length;
  const kept: (number | 'new')[] = [];
  const cuts = new Map<number, Cut>();
  const picks: { readonly axis: number; readonly at: Value }[] = [];
  let axis = 0;
  const rest = (many: number): void => {
    for (let i = 0; i < many; i++) kept.push(axis++);
  };
  for (const k of list) {
    if (isNew(k)) kept.push('new');
    else if (isDots(k)) rest(rankOf(x) - used);
    else if (typeof k === 'number') {
      const size = must(x.type.shape[axis] ?? c.reject('more indices than axes'));
      cuts.set(axis++, { start: k < 0 ? dimAdd(size, k) : k, size: 1, step: 1 });
    } else if (typeof k === 'object' && k !== null && 'def' in k) {
      const v = k as Value;
      if (rankOf(v) !== 0) return c.unsupported('tensors as indices');
      picks.push({ axis: axis++, at: v });
    } else {
      const config = field(k, 'config');
      if (field(k, 'class_name') !== '__slice__') return c.unsupported(`the index ${JSON.stringify(k)}`);
      const [start, stop, step] = ['start', 'stop', 'step'].map(w => field(config, w));
      const by = typeof step === 'number' ? step : 1;
      const size = must(x.type.shape[axis] ?? c.reject('more indices than axes'));
      const bound = (j: Json | undefined, otherwise: Dim): Dim => (typeof j === 'number' ? j : otherwise);
      cuts.set(axis, cutOf(size, bound(start, by > 0 ? 0 : dimSub(size, 1)), bound(stop, by > 0 ? size : dimSub(-1, size)), by));
      kept.push(axis++);
    }
  }
  rest(rankOf(x) - axis);
  const cut = slice(c, x, cuts);
  const picked = picks.reduceRight((v, p) => gather(c, v, p.at, p.axis), cut);
  return reshape(
    c,
    picked,
    kept.map((k): Dim => (k === 'new' ? 1 : must(cut.type.shape[k]))),
  );
});
const sliceAt = single((n, c, call) => {
  const x = call.x();
  const start = call.json('start_indices', 1);
  const from = isArray(start) ? Array.from(start as readonly Json[]) : c.unsupported('a slice that begins where the data say');
  const sizes = ints(n, call, 'shape');
  const cuts = sizes.map((size, a): readonly [number, Cut] => {
    const s = asNumber(from[a]) ?? n.bad("'start_indices' are no numbers");
    return [a, { start: s, size: size === -1 ? dimSub(must(x.type.shape[a]), s) : size, step: 1 }];
  });
  return slice(c, x, new Map(cuts));
});
export const shapeOps: LayerTable = prefixed({
  ExpandDims: expandDims,
  Squeeze: squeeze,
  Transpose: transposed,
  Moveaxis: moveaxis,
  Swapaxes: swapaxes,
  Reshape: reshapeTo,
  Ravel: on((_, c, x) => reshape(c, x, [dimProd(x.type.shape)])),
  Flip: flipped,
  Fliplr: on((_, c, x) => flip(c, x, [1])),
  Flipud: on((_, c, x) => flip(c, x, [0])),
  Roll: roll,
  Repeat: repeat,
  Tile: tile,
  Concatenate: concatenate,
  Append: append,
  Stack: stack,
  Hstack: stacked(1, 1),
  Vstack: stacked(0, 2),
  Dstack: stacked(2, 2, true),
  Split: split(false),
  ArraySplit: split(true),
  Hsplit: split(false, 1),
  Vsplit: split(false, 0),
  Unstack: unstack,
  Take: take,
  TakeAlongAxis: takeAlong,
  BroadcastTo: broadcast,
  Pad: pad,
  OneHot: hot(false),
  MultiHot: hot(true),
  Tril: triangle(false),
  Triu: triangle(true),
  OnesLike: filled(1),
  ZerosLike: filled(0),
  EmptyLike: filled(0),
  GetItem: getItem,
  Slice: sliceAt,
});
