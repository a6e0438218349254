import type { Importer } from '../importer.ts';
import { decodeModel, isTflite } from './decode.ts';
import { drawModel } from './drawing.ts';
import { importTflite } from './import.ts';
import { inspectModel, tryImport } from './inspect.ts';

export const tflite: Importer<'tflite'> = {
  name: 'tflite',
  title: 'TensorFlow Lite',
  accepts: 'TensorFlow Lite',
  mainFile: 'model.tflite',
  takes: ['shapes', 'signature', 'tflite-rounding'],
  sniff: b => (isTflite(b) ? 'certain' : 'no'),
  open: ({ name: file, bytes, beside }) => {
    const model = decodeModel(bytes, file);
    const source = { file, ...(beside && { external: beside }) };
    return {
      import: ({ name, dims, shapes, signature, tfliteRounding, onValue }) =>
        importTflite(model, {
          ...source,
          ...(name !== undefined && { name }),
          ...(dims && { dims }),
          ...(shapes && { shapes }),
          ...(signature !== undefined && { signature }),
          ...(tfliteRounding && { rounding: tfliteRounding }),
          ...(onValue && { onValue }),
        }),
      inspect: () => inspectModel(model, tryImport(model, source), file),
      drawing: () => drawModel(model, tryImport(model, source).shapes, file),
    };
  },
};
