import { fail } from '../../core/diagnostic.ts';
import type { ModelFile } from '../importer.ts';
import { textOf as decoded } from '../shared/cursor.ts';
import { field, isObject, parseJson, parseJsonText, type Json } from '../shared/json.ts';
import { tfjsWeights } from '../shared/tfjs-weights.ts';
import { isZip, readZip } from '../shared/zip.ts';
import { isHdf5, openHdf5, textAttribute, type H5Node } from './hdf5/index.ts';
import type { KerasVersion } from './layer.ts';
import { badConfig, isGraphClass, layerRecord, textOf, type LayerRecord } from './records.ts';
import { namedWeight, weightsByPlace, weightsOfH5, weightsOfList, type Weights } from './weights.ts';

/** A model of Keras, whatever file it came in. */
export interface KerasModel {
  readonly file: string;
  /** The form of the file, in words. */
  readonly form: string;
  readonly version: KerasVersion;
  /** As the file has it; empty where it says nothing. */
  readonly kerasVersion: string;
  readonly backend: string;
  readonly model: LayerRecord;
  readonly weights: Weights;
}

/** Names that are in every .keras. */
const CONFIG = 'config.json';
/** Whether a zip archive is a .keras: its directory names the configuration. */
const isKerasZip = (b: Uint8Array): boolean => {
  // The directory is at the end; names of files are there as they are.
  const tail = decoded(b.subarray(Math.max(0, b.length - 4096)));
  return isZip(b) && tail.includes(CONFIG) && /model\.weights\.(?:h5|npz|json)|metadata\.json/.test(tail);
};
/** Whether a JSON file is a model of layers of TensorFlow.js, by how it begins. */
const isLayersJson = (b: Uint8Array): boolean => {
  const head = decoded(b.subarray(0, 4096));
  if (!/^\s*(?:\uFEFF)?\{/.test(head)) return false;
  if (/"format"\s*:\s*"layers-model"/.test(head)) return true;
  return /"modelTopology"\s*:\s*\{\s*"(?:keras_version|backend|model_config|class_name|config|training_config)"/.test(head);
};
export const isKeras = (b: Uint8Array): boolean => isHdf5(b) || isKerasZip(b) || isLayersJson(b);

/** Reads a model of Keras. E202: weights without a model, a class of one's own. E203: damaged. */
export function openKeras(f: ModelFile): KerasModel {
  if (isHdf5(f.bytes)) return openH5(f, openHdf5(f.bytes, f.name, f.whole));
  return isZip(f.bytes) ? openZip(f) : openTfjs(f);
}
function versionOf(text: string): KerasVersion {
  const major = /^(\d+)/.exec(text.replace(/^tfjs-layers\s*/, '2 '))?.[1];
  return major === '1' ? 1 : major === undefined || major === '2' || major === '0' ? 2 : 3;
}
function checked(f: ModelFile, j: Json): LayerRecord {
  const model = layerRecord(j, badConfig(f.name));
  if (isGraphClass(model.cls, model.config)) return model;
  return fail(
    'E202',
    {
      file: f.name,
      why: `its model is of the class ${model.cls}, of which the file has the name only; build it with the functional API, or export it as a SavedModel (model.export) and compile that`,
    },
    { k: 'file', file: f.name, what: model.name },
  );
}
function openH5(f: ModelFile, root: H5Node): KerasModel {
  const text = textAttribute(root, 'model_config');
  if (text === undefined)
    return fail(
      'E202',
      {
        file: f.name,
        why: "it holds weights only, and not what is computed with them; build the model in Python, load them (model.load_weights) and save the whole with model.save('model.keras')",
      },
      { k: 'file', file: f.name, what: '' },
    );
  const group = root.at('model_weights') ?? root;
  const kerasVersion = textAttribute(root, 'keras_version') ?? textAttribute(group, 'keras_version') ?? '1';
  return {
    file: f.name,
    form: 'HDF5',
    version: versionOf(kerasVersion),
    kerasVersion,
    backend: textAttribute(root, 'backend') ?? textAttribute(group, 'backend') ?? '',
    model: checked(f, configText(f, text)),
    weights: weightsOfH5(group),
  };
}
function configText(f: ModelFile, text: string): Json {
  try {
    return parseJsonText(text);
  } catch (e) {
    return badConfig(f.name)(`it is no complete JSON: ${e instanceof Error ? e.message : String(e)}`);
  }
}
function openZip(f: ModelFile): KerasModel {
  const entries = readZip(f.bytes, f.name, f.whole);
  const find = (name: string): (typeof entries)[number] | undefined => entries.find(e => e.name === name);
  const config = find(CONFIG) ?? fail('E202', { file: f.name, why: `it is a zip archive without ${CONFIG}, so no .keras` });
  const meta = find('metadata.json');
  const about = meta ? parseJson(meta.read(), f.name, meta.name) : null;
  const kerasVersion = textOf(field(about, 'keras_version')) ?? '3';
  const weights = find('model.weights.h5');
  const others = entries.find(e => /^model\.weights/.test(e.name));
  const model = checked(f, parseJson(config.read(), f.name, CONFIG));
  if (!weights && others)
    return fail('E202', {
      file: f.name,
      why: `its weights are in ${others.name}; save it with model.save('model.keras'), which writes model.weights.h5`,
    });
  if (!weights) return fail('E203', { file: f.name, why: 'model.weights.h5 is missing' });
  return {
    file: f.name,
    form: '.keras',
    version: versionOf(kerasVersion),
    kerasVersion,
    backend: '',
    model,
    weights: weightsByPlace(openHdf5(weights.read(), f.name, f.whole)),
  };
}
function openTfjs(f: ModelFile): KerasModel {
  const j = parseJson(f.bytes, f.name);
  const topology = field(j, 'modelTopology') ?? null;
  const config = field(topology, 'model_config') ?? topology;
  if (!isObject(config)) return fail('E202', { file: f.name, why: 'it is no model of TensorFlow.js' });
  // Early converters wrote the configuration as text.
  const model = checked(f, typeof config === 'string' ? configText(f, config) : config);
  const kerasVersion = textOf(field(topology, 'keras_version')) ?? textOf(field(j, 'generatedBy')) ?? '2';
  const list = tfjsWeights(field(j, 'weightsManifest'), f);
  return {
    file: f.name,
    form: 'TF.js layers',
    version: versionOf(kerasVersion) === 1 ? 1 : versionOf(kerasVersion.replace(/^.*keras v?/i, '')),
    kerasVersion,
    backend: textOf(field(topology, 'backend')) ?? '',
    model,
    weights: weightsOfList(
      list.map(w => namedWeight(w.name, () => w.tensor())),
      f.name,
    ),
  };
}
