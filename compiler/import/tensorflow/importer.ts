import type { Importer, ModelFile } from '../importer.ts';
import { openByGraph } from '../shared/inspect.ts';
import { decodeMessage } from '../shared/protobuf.ts';
import { structured } from './conditions.ts';
import { importTf } from './import.ts';
import type { TfModel } from './model.ts';
import { openSavedModel } from './saved-model.ts';
import { Graph } from './schema.ts';
import { isGraphDef, isGraphModel, isSavedModel } from './sniff.ts';
import { tablesOf } from './tables.ts';
import { openTfjs } from './tfjs.ts';
import { variablesOf } from './variables.ts';

export const tensorflow: Importer<'tensorflow'> = {
  name: 'tensorflow',
  title: 'TensorFlow',
  accepts: 'TensorFlow as SavedModel, frozen GraphDef or graph model of TF.js',
  mainFile: ['saved_model.pb', 'model.json'],
  takes: ['shapes', 'outputs', 'outputs-at', 'inputs-at', 'signature', 'input-names'],
  sniff: b => (isSavedModel(b) || isGraphDef(b) || isGraphModel(b) ? 'certain' : 'no'),
  open: file => {
    const read = modelOf(file);
    const m: TfModel = { ...read, ...structured(read) };
    return openByGraph(
      m.title,
      () => ({ ...m.facts }),
      o => importTf(m, o),
    );
  },
};
function modelOf(file: ModelFile): TfModel {
  if (isSavedModel(file.bytes)) return openSavedModel(file);
  if (isGraphModel(file.bytes)) return openTfjs(file);
  const g = decodeMessage(file.bytes, Graph, 'a GraphDef', file.name);
  return {
    file: file.name,
    title: 'TensorFlow GraphDef',
    nodes: g.nodes,
    functions: g.library?.functions ?? [],
    signatures: [],
    variable: variablesOf(g, undefined),
    table: tablesOf(g, { file: file.name, list: [], beside: undefined }),
    facts: {},
  };
}
