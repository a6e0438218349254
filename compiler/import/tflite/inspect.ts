import { CompileError, must } from '../../core/diagnostic.ts';
import { showDim } from '../../core/dim.ts';
import { numel } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { macsHi } from '../../graph/stats.ts';
import type { ImportedGraph, InspectedPort, ModelFacts } from '../importer.ts';
import { freeSizes, trialSize } from '../shared/dims.ts';
import { declaredInputs, entryOf, histogram, importTflite, type Entry, type TfliteOptions } from './import.ts';
import { metadataOf } from './metadata.ts';
import type { NamedTensor, TfliteModel } from './records.ts';

/** An import with a usual size for each free dimension, as far as it goes. */
interface Trial {
  readonly imported?: ImportedGraph;
  /** Sizes of the tensors of the main graph, by name. */
  readonly shapes: ReadonlyMap<string, string>;
  /** The sizes that were tried. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly problem: ModelFacts['problem'];
}
export function tryImport(m: TfliteModel, o: TfliteOptions): Trial {
  const sizes = Object.fromEntries([...freeSizes(declaredInputs(entryOf(m, o))).values()].map(f => [f.name, trialSize(f)]));
  const shapes = new Map<string, string>();
  const onValue = (name: string, v: Value): void => void shapes.set(name, v.type.shape.map(showDim).join('×'));
  try {
    return { imported: importTflite(m, { ...o, dims: sizes, onValue }), shapes, sizes, problem: undefined };
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    return { shapes, sizes, problem: { code: e.code, message: e.message } };
  }
}

/** What the file holds: its own names, sizes and operators, also where the import failed. */
export function inspectModel(m: TfliteModel, { imported, sizes, problem }: Trial, file: string): ModelFacts {
  const entry = entryOf(m, { file });
  const about = metadataOf(m);
  const macs = imported && macsHi(imported.graph);
  const version = m.metadata.get('min_runtime_version');
  const facts: readonly (readonly [string, string | readonly string[] | undefined])[] = [
    ['description', about?.description ?? m.description],
    ['name', about?.name],
    ['author', about?.author],
    ['licence', about?.licence],
    ['needs runtime', version && new TextDecoder().decode(version).replaceAll('\0', '')],
    ['signatures', m.signatures.map(s => s.key)],
    [
      'normalisation',
      about?.inputs.flatMap(({ name, normalisation: n }) =>
        n ? [`${name}: (x - ${n.mean.join(', ')}) / ${n.std.join(', ')}`] : [],
      ),
    ],
  ];
  return {
    title: `TensorFlow Lite, version ${m.version}`,
    facts: Object.fromEntries(facts.flatMap(([k, v]) => (v === undefined || v.length === 0 ? [] : [[k, v]]))),
    inputs: entry.inputs.map(t => port(entry, t)),
    outputs: entry.outputs.map(t => port(entry, t)),
    free: [...freeSizes(declaredInputs(entry)).values()].map(f => ({
      name: f.name,
      places: f.places.map(p => `axis ${p.axis} of '${p.input}'`),
    })),
    operators: histogram(m),
    parameters: parameters(m),
    macs: macs === undefined ? undefined : { count: macs, at: sizes },
    trees: undefined,
    problem,
    warnings: imported?.warnings ?? [],
  };
}
/** The type is told with how integers stand for real numbers. */
function port({ graph }: Entry, { name, tensor }: NamedTensor): InspectedPort {
  const t = must(graph.tensors[tensor]);
  const q = t.quantization;
  const scaled = q?.scale.length === 1 ? ` × ${Number(must(q.scale[0]).toPrecision(6))} from ${q.zero[0] ?? 0}` : '';
  const signature = t.signature?.length === t.shape.length ? t.signature : t.shape;
  return { name, type: t.type.toLowerCase() + scaled, shape: signature.map((d, i) => (d < 0 ? `${name}_${i}` : d)) };
}
function parameters(m: TfliteModel): ModelFacts['parameters'] {
  let [tensors, elements, bytes] = [0, 0, 0];
  for (const t of m.subgraphs.flatMap(g => g.tensors)) {
    const held = m.buffers[t.buffer];
    if (!held || held.length === 0) continue;
    tensors++;
    elements += numel(t.shape);
    bytes += held.length;
  }
  return { tensors, elements, bytes };
}
