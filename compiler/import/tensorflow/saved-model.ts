import { CompileError, fail } from '../../core/diagnostic.ts';
import type { ModelFile } from '../importer.ts';
import { decodeMessage } from '../shared/protobuf.ts';
import { openCheckpoint, type Checkpoint } from './bundle.ts';
import type { Port, Signature, TfModel } from './model.ts';
import type { Entry, MetaGraphDef, TensorInfo } from './records.ts';
import { Saved } from './schema.ts';
import { tablesOf } from './tables.ts';
import { variablesOf } from './variables.ts';

/** The tag of what is there to be served, not trained. */
const SERVE = 'serve';
/** Signatures that are no functions of the model. */
const INTERNAL = /^__saved_model_(?:init|train)_op$/;

/** Opens saved_model.pb: the graph with the tag `serve`, its signatures, and its checkpoint beside it. */
export function openSavedModel(file: ModelFile): TfModel {
  const saved = decodeMessage(file.bytes, Saved, 'a SavedModel', file.name);
  const graphs = saved.metaGraphs;
  const meta: MetaGraphDef =
    graphs.find(g => g.info?.tags.includes(SERVE)) ??
    (graphs.length === 1 ? graphs[0] : undefined) ??
    fail('E202', { file: file.name, why: `it has no graph with the tag ${SERVE}` });
  const graph = meta.graph ?? fail('E202', { file: file.name, why: 'it has no graph' });
  const signatures = meta.signatures
    .filter(s => !INTERNAL.test(s.key))
    .map((s): Signature => ({
      name: s.key,
      inputs: ports(s.value?.inputs ?? [], file.name),
      outputs: ports(s.value?.outputs ?? [], file.name),
    }))
    .filter(s => s.outputs.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const checkpoint = openOnce(file);
  const version = meta.info?.version ?? '';
  return {
    file: file.name,
    title: 'TensorFlow SavedModel',
    nodes: graph.nodes,
    functions: graph.library?.functions ?? [],
    signatures,
    variable: variablesOf(graph, checkpoint),
    table: tablesOf(graph, { file: file.name, list: meta.assets, beside: file.beside }),
    facts: { ...(version !== '' && { 'written by': `TensorFlow ${version}` }), signatures: signatures.map(s => s.name) },
  };
}
/** Names in their order: of TensorFlow's own dictionaries. */
const ports = (list: readonly Entry<TensorInfo>[], file: string): readonly Port[] =>
  list
    .map((e): Port => {
      const ref =
        e.value?.name ??
        fail('E101', { op: 'signature', why: `: '${e.key}' is no dense tensor` }, { k: 'file', file, what: e.key });
      return { name: e.key, ref, type: e.value?.dtype ?? 0, shape: e.value?.shape };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
/** The checkpoint, opened where a variable is read. */
function openOnce(file: ModelFile): Checkpoint {
  let opened: Checkpoint | undefined;
  return key => {
    const beside =
      file.beside ?? fail('E204', { why: `variables are beside '${file.name}', and only the model's own bytes were given` });
    try {
      opened ??= openCheckpoint('variables/variables', beside);
    } catch (e) {
      if (e instanceof CompileError && e.loc.k === 'none') throw e.at({ k: 'file', file: file.name, what: 'variables' });
      throw e;
    }
    return opened(key);
  };
}
