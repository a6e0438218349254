import type { Drawing, Importer, ModelFacts } from './import/importer.ts';
import { openModel, type Format } from './import/index.ts';
import type { ExternalResolver } from './import/shared/external.ts';

export interface InspectOptions {
  readonly model: Uint8Array;
  /** Told from the bytes where it is left out. */
  readonly format?: Format;
  /** The file's name, for messages. */
  readonly file?: string;
  /** Gives bytes of files beside the model. */
  readonly external?: ExternalResolver;
  /** Importers besides those that Sinter has. */
  readonly importers?: readonly Importer[];
}
/** What a model is made of, and its picture. */
export interface Inspection extends ModelFacts {
  /** The importer's name. */
  readonly format: string;
  readonly file: string;
  readonly bytes: number;
  drawing(): Drawing;
}

/** Tells what a model is made of, also where it cannot be compiled. E2xx where it cannot be read. */
export function inspect({ model, file = 'model', ...source }: InspectOptions): Inspection {
  const open = openModel(model, { file, ...source });
  return { format: open.importer.name, file, bytes: model.length, ...open.inspect(), drawing: () => open.drawing() };
}
