import { fail } from '../../core/diagnostic.ts';
import { didYouMean } from '../../core/suggest.ts';
import { histogram } from '../../graph/stats.ts';
import type { Facts, ImportedGraph, ImportOptions, OpenModel } from '../importer.ts';
import { openByGraph } from './inspect.ts';
import { TREE_OUTPUTS, type TreeImport, type TreeOptions, type TreeOutput } from './trees.ts';

/** An open model of boosted trees from what only its framework knows: its graph, and what the file says about itself. */
export function openTrees(title: string, file: string, facts: () => Facts, load: (o: TreeOptions) => TreeImport): OpenModel {
  return openByGraph(title, facts, ({ name, dims, iterations, outputs = [] }: ImportOptions) => {
    const made = load({
      file,
      outputs: checkOutputs(outputs),
      ...(name !== undefined && { name }),
      ...(dims && { dims }),
      ...(iterations && { iterations }),
    });
    return finished(made, file);
  });
}
function finished(t: TreeImport, file: string): ImportedGraph {
  const { graph } = t;
  const columns = Number(graph.inputs[0]?.type.shape[1] ?? 0);
  const clear = t.featureNames && new Set(t.featureNames).size === columns;
  const message = 'two features have one name, so the names are not used';
  const loc = { k: 'file', file, what: 'feature names' } as const;
  return {
    graph,
    warnings: t.featureNames && !clear ? [...t.warnings, { code: 'names', message, loc }] : t.warnings,
    histogram: Object.fromEntries(histogram(graph)),
    ...(t.labels && { labels: t.labels }),
    rows: { input: 'features', columns, names: clear ? t.featureNames : undefined },
  };
}
/** Names of outputs as they are asked for; `prediction` is always there. E403: one that no model has. */
function checkOutputs(asked: readonly string[]): readonly TreeOutput[] {
  const known: readonly string[] = TREE_OUTPUTS;
  for (const name of asked)
    if (name !== 'prediction' && !known.includes(name))
      fail('E403', {
        option: 'outputs',
        why: `there is no output '${name}'${didYouMean(name, known)} (${known.join(', ')}, besides prediction)`,
      });
  return TREE_OUTPUTS.filter(t => asked.includes(t));
}
