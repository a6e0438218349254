import { CompileError } from '../../core/diagnostic.ts';
import { showDim } from '../../core/dim.ts';
import { DTYPES } from '../../core/dtype.ts';
import { numel } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { macsHi } from '../../graph/stats.ts';
import { treeStats } from '../../ops/trees/stats.ts';
import type { InspectedPort, ModelFacts } from '../importer.ts';
import { freeSizes, symbolName, trialSize } from '../shared/dims.ts';
import { sequenceInputs } from './border.ts';
import { dtypeOf } from './decode.ts';
import {
  allNodes,
  declaredInputs,
  freeInputs,
  importProto,
  keyOf,
  showTypeProto,
  type Imported,
  type OnnxModel,
  type OnnxOptions,
} from './import.ts';
import { domainOf } from './node.ts';
import { graphsOf } from './order.ts';
import type { TensorProto, ValueInfoProto } from './records.ts';

/** An import with a usual size for each free dimension, as far as it goes. */
interface Trial {
  readonly imported?: Imported;
  /** Sizes of the values of the main graph, by name. */
  readonly shapes: ReadonlyMap<string, string>;
  /** The sizes that were tried. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly problem: ModelFacts['problem'];
}
export function tryImport(model: OnnxModel, o: OnnxOptions): Trial {
  const free = freeSizes(declaredInputs(freeInputs(model.graph)));
  const dims = Object.fromEntries([
    ...[...free.values()].map(f => [f.name, trialSize(f)] as const),
    ...sequenceInputs(freeInputs(model.graph)).map(name => [name, 1] as const),
  ]);
  const shapes = new Map<string, string>();
  const onValue = (name: string, v: Value): void => void shapes.set(name, v.type.shape.map(showDim).join('×'));
  try {
    const imported = importProto(model, { ...o, dims, onValue });
    return { imported, shapes, sizes: dims, problem: undefined };
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    return { shapes, sizes: dims, problem: { code: e.code, message: e.message } };
  }
}
/** What the file holds: its own names, sizes and operators, also where the import failed. */
export function inspectModel(model: OnnxModel, { imported, sizes, problem }: Trial): ModelFacts {
  const g = model.graph;
  const inputs = freeInputs(g);
  const operators = new Map<string, number>();
  for (const n of allNodes(model)) operators.set(keyOf(n), (operators.get(keyOf(n)) ?? 0) + 1);
  const macs = imported && macsHi(imported.graph);
  const producer = [model.producerName, model.producerVersion].filter(s => s !== '').join(' ');
  return {
    title: 'ONNX',
    facts: {
      'IR version': model.irVersion,
      'operator sets': model.opsetImport.map(x => `${domainOf(x.domain) === '' ? 'ai.onnx' : x.domain} ${x.version}`),
      ...(producer !== '' && { producer }),
    },
    inputs: inputs.map(port),
    outputs: g.output.map(port),
    free: [
      ...sequenceInputs(inputs).map(name => ({ name, places: [`the number of tensors of '${name}'`] })),
      ...[...freeSizes(declaredInputs(inputs)).values()].map(f => ({
        name: f.name,
        places: f.places.map(p => `axis ${p.axis} of '${p.input}'`),
      })),
    ],
    operators: Object.fromEntries([...operators].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))),
    parameters: parameters(model),
    macs: macs === undefined ? undefined : { count: macs, at: sizes },
    trees: imported && treeStats(imported.graph),
    problem,
    warnings: imported?.warnings ?? [],
  };
}
function port(v: ValueInfoProto): InspectedPort {
  const t = v.type?.tensorType;
  const shape = t?.shape?.dim.map((d, i): number | string => {
    if (d.dimValue !== undefined && d.dimValue >= 0) return d.dimValue;
    return d.dimParam === undefined || d.dimParam === '' ? symbolName(`${v.name}_${i}`) : d.dimParam;
  });
  return { name: v.name, type: showTypeProto(v.type), shape: shape ?? null };
}
function parameters(m: OnnxModel): ModelFacts['parameters'] {
  let [tensors, elements, bytes] = [0, 0, 0];
  const add = (t: TensorProto): void => {
    const dtype = dtypeOf(t.dataType);
    const n = numel(t.dims);
    tensors++;
    elements += n;
    bytes += dtype === undefined ? (t.rawData?.length ?? 0) : Math.ceil((n * DTYPES[dtype].bits) / 8);
  };
  m.graph.initializer.forEach(add);
  m.graph.sparseInitializer.forEach(s => s.values && add(s.values));
  for (const n of allNodes(m)) {
    for (const a of n.attribute) if (a.t && n.opType === 'Constant') add(a.t);
    for (const g of graphsOf(n)) g.initializer.forEach(add);
  }
  return { tensors, elements, bytes };
}
