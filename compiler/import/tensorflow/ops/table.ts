import { fromNumbers, numel, toNumbers, type Tensor } from '../../../core/tensor.ts';
import { textTensor } from '../../../core/texts.ts';
import { tensorOf as contentsOf, type Value } from '../../../graph/graph.ts';
import { lookedUp } from '../../shared/lookup.ts';
import { cast } from '../../shared/views.ts';
import { describe, isValue } from '../item.ts';
import type { TensorProto } from '../records.ts';
import { STRING, stringsOf } from '../tensor.ts';
import type { LookupTable, TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/** Tables whose contents are known at import: a search among sorted keys. Texts are their places in the model's list of them. */

const tableAt = (n: TfNode, c: TfCtx): LookupTable =>
  c.resources.table(n.handle(0)) ?? n.unsupported('a table that nothing fills from constants or from a file of the model');
/** A tensor, or a constant of texts as one. */
function valueOf(n: TfNode, c: TfCtx, i: number): Value {
  const x = n.item(i);
  if (isValue(x)) return x;
  return x.k === 'text' ? c.texts(x.strings, x.dims) : n.unsupported(`its input ${i} is ${describe(x)}`);
}
/** Keys or values as a vector. */
function columnOf(n: TfNode, c: TfCtx, t: TensorProto): Tensor {
  if (t.dtype === STRING) {
    const strings = stringsOf(t, count => c.room(count, 'a constant'));
    return textTensor([strings.length], strings, c.textList);
  }
  const d = n.decoded(t);
  return { ...d, dims: [numel(d.dims)] };
}
const find: TfBuilder = (n, c) => {
  const table = tableAt(n, c);
  const [keys, values] = [columnOf(n, c, table.keys), columnOf(n, c, table.values)];
  if (keys.dims[0] !== values.dims[0]) n.reject(`${keys.dims[0]} keys and ${values.dims[0]} values`);
  const [x, otherwise] = [valueOf(n, c, 1), valueOf(n, c, 2)];
  if ((x.type.dtype === 'text') !== (keys.dtype === 'text')) n.reject(`it looks for ${x.type.dtype} among ${keys.dtype}`);
  const known = contentsOf(otherwise);
  const [first] = known ? toNumbers(known) : [];
  if (first === undefined) return n.unsupported('a default value that the model computes');
  if (otherwise.type.dtype !== values.dtype) n.reject(`its default is ${otherwise.type.dtype}, its values are ${values.dtype}`);
  if (values.dtype === 'text') c.labels([...toNumbers(values), first].map(i => c.textList.texts[i] ?? ''));
  return [lookedUp(c, keys.dtype === 'text' ? x : cast(c, x, keys.dtype), keys, values, first)];
};
const size: TfBuilder = (n, c) => {
  const keys = columnOf(n, c, tableAt(n, c).keys);
  return [c.constant(fromNumbers('i64', [], [new Set(toNumbers(keys)).size]))];
};
const handle: TfBuilder = n => [{ k: 'handle', key: n.name }];

export const tableOps: TfOps = {
  HashTable: handle,
  HashTableV2: handle,
  LookupTableFind: find,
  LookupTableFindV2: find,
  LookupTableSize: size,
  LookupTableSizeV2: size,
};
