import type { Importer } from '../importer.ts';
import { foreignFormat } from '../shared/foreign.ts';
import { decodeModel } from './decode.ts';
import { drawModel } from './drawing.ts';
import { importProto } from './import.ts';
import { inspectModel, tryImport } from './inspect.ts';

export const onnx: Importer<'onnx'> = {
  name: 'onnx',
  title: 'ONNX',
  accepts: 'ONNX',
  mainFile: 'model.onnx',
  takes: ['shapes', 'outputs-at', 'inputs-at'],
  // A bare protobuf message has no mark: it is ONNX where nothing tells that it is something else.
  sniff: b => (foreignFormat(b) === undefined ? 'possible' : 'no'),
  open: ({ name: file, bytes, beside }) => {
    const model = decodeModel(bytes, file);
    const source = { file, ...(beside && { external: beside }) };
    return {
      import: ({ name, dims, shapes, outputsAt, inputsAt, onValue }) => {
        const { graph, warnings, labels, meta } = importProto(model, {
          ...source,
          ...(name !== undefined && { name }),
          ...(dims && { dims }),
          ...(shapes && { shapes }),
          ...((outputsAt ?? inputsAt) && { cut: { ...(outputsAt && { outputsAt }), ...(inputsAt && { inputsAt }) } }),
          ...(onValue && { onValue }),
        });
        return { graph, warnings, histogram: meta.histogram, ...(labels && { labels }) };
      },
      inspect: () => inspectModel(model, tryImport(model, source)),
      drawing: () => drawModel(model, tryImport(model, source).shapes),
    };
  },
};
