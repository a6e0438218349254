import { unzipSync } from 'fflate';
import { CompileError } from '../../core/diagnostic.ts';
import { textOf } from '../shared/cursor.ts';
import { number, numbers, rootTable, table, tables, text, type Table } from './flatbuffer.ts';
import type { TfliteModel } from './records.ts';

/**
 * What a model says about its inputs and outputs for people: `TFLITE_METADATA` (metadata_schema.fbs of TensorFlow Lite Support), with the
 * files that it names in a zip archive at the end of the model.
 */
interface Metadata {
  readonly name: string;
  readonly description: string;
  readonly author: string;
  readonly licence: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}
interface TensorMetadata {
  readonly name: string;
  /** (x - mean) / std is what the model takes; one number, or one for each channel. */
  readonly normalisation: { readonly mean: readonly number[]; readonly std: readonly number[] } | undefined;
  /** Names of files with a label a line. */
  readonly labels: readonly string[];
}

/** The metadata of the first graph; undefined where there is none, or none that can be read: the model runs without. */
export function metadataOf(m: TfliteModel): Metadata | undefined {
  const bytes = m.metadata.get('TFLITE_METADATA');
  if (!bytes || bytes.length === 0) return undefined;
  try {
    const t = rootTable(bytes, 'metadata');
    const [inputs = [], outputs = []] = tables(t, 3, g => [tables(g, 2, tensor), tables(g, 3, tensor)])[0] ?? [];
    const word = (id: number): string => text(t, id) ?? '';
    return { name: word(0), description: word(1), author: word(4), licence: word(5), inputs, outputs };
  } catch (e) {
    if (e instanceof CompileError) return undefined;
    throw e;
  }
}
const NORMALISATION = 1;
/** Files with labels of an axis, or of values. */
const LABELS = [2, 3];
function tensor(t: Table): TensorMetadata {
  const units = tables(t, 4, u => (number(u, 0, 'u8') === NORMALISATION ? table(u, 1) : undefined));
  const unit = units.find(u => u !== undefined);
  return {
    name: text(t, 0) ?? '',
    normalisation: unit && { mean: numbers(unit, 0, 'f32') ?? [], std: numbers(unit, 1, 'f32') ?? [] },
    labels: tables(t, 6, f => (LABELS.includes(number(f, 2, 'i8')) ? (text(f, 0) ?? '') : '')).filter(n => n !== ''),
  };
}

/** Larger files are no lists of names. */
const LARGEST = 1 << 20;
/** A file of the archive behind the model; undefined where there is none. */
function fileBehind(bytes: Uint8Array, name: string): string | undefined {
  try {
    const files = unzipSync(bytes, { filter: f => f.name === name && f.originalSize <= LARGEST && f.size <= LARGEST });
    const found = files[name];
    return found && textOf(found);
  } catch {
    return undefined;
  }
}
/** The names of the classes of the first output that has some. */
export function labelsOf(m: TfliteModel): readonly string[] | undefined {
  const [name] = metadataOf(m)?.outputs.flatMap(o => o.labels) ?? [];
  const lines = name === undefined ? undefined : fileBehind(m.bytes, name)?.replace(/\s+$/, '').split(/\r?\n/);
  return lines && lines.length > 1 ? lines : undefined;
}
