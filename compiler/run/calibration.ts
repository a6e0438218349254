import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { concrete, type Bindings } from '../core/bind.ts';
import { fail, must } from '../core/diagnostic.ts';
import { symbolsOf } from '../core/dim.ts';
import { fromNumbers, numel, type Tensor } from '../core/tensor.ts';
import { audioOptions, audioTensors, imageOptions } from '../data/preprocess.ts';
import { randomTensor } from '../data/random.ts';
import { withinTables } from '../data/sharp.ts';
import { samplesIn, type InputType } from '../data/slices.ts';
import { readWav } from '../data/wav.ts';
import type { Graph } from '../graph/graph.ts';
import { readBytes, readText } from '../host/files.ts';
import type { RowsOfFeatures } from '../import/importer.ts';
import type { Sample, Samples } from '../quantize/samples.ts';
import { imageReader } from './images.ts';
import { loadInput, loadInputs, textInputs, type Want } from './load.ts';

/** Where calibration data come from, as the command line says it. */
export interface CalibrationSource {
  /** A file .npz, .npy, .csv, .json or .jsonl; a folder of those, of pictures or of sounds; `random` or `random:SEED`. */
  readonly data: string;
  /** A line of options for pictures and for sounds: see `imageOptions`, `audioOptions`. */
  readonly image?: string;
  readonly audio?: string;
  /** Inputs that are the same in all samples: NAME=FILE, zeros, a number. */
  readonly input?: readonly string[];
  /** At most so many samples. */
  readonly samples?: number;
}
const PICTURES = ['.png', '.jpg', '.jpeg', '.webp', '.gif', '.avif', '.tif', '.tiff'];
const TABLES = ['.npz', '.npy', '.csv', '.json', '.jsonl', '.ndjson'];
/** Random samples, where no number is given. */
const RANDOM = 8;
/** A size to make random data of, where it is free. */
const START = 64;

/** Opens calibration data for a graph. Nothing is read yet but the names in a folder. E205, E403, E501. */
export function openCalibration(source: CalibrationSource, g: Graph, rows?: RowsOfFeatures): Samples {
  const inputs = g.inputs.flatMap((v): InputType[] => (v.def.k === 'input' ? [{ name: v.def.name, ...v.type }] : []));
  const seed = /^random(?::(\d{1,9}))?$/.exec(source.data);
  const fixed = fixedInputs(source.input ?? [], inputs);
  const limit = source.samples ?? Infinity;
  if (seed) {
    const start = Number(seed[1] ?? 1);
    const count = Math.min(limit, RANDOM);
    return {
      name: 'random',
      seed: start,
      count,
      *read() {
        for (let i = 0; i < count; i++) yield new Map([...randomSample(g, inputs, start + 100 * i), ...fixed]);
      },
    };
  }
  if (!existsSync(source.data)) fail('E205', { file: source.data, why: 'there is no such file' });
  const files = statSync(source.data).isDirectory() ? filesOf(source.data) : [source.data];
  const wants = inputs.map((i): Want => wantOf(i, rows));
  const count = files.length > 1 && !files.some(f => TABLES.includes(endOf(f)) || endOf(f) === '.wav') ? files.length : undefined;
  return {
    name: basename(source.data),
    ...(count !== undefined && { count: Math.min(limit, count) }),
    async *read() {
      let n = 0;
      for (const file of files)
        for await (const s of samplesOfFile(file, source, inputs, wants)) {
          if (n++ >= limit) return;
          yield new Map([...fixed, ...s]);
        }
    },
  };
}
const endOf = (file: string): string => extname(file).toLowerCase();
/** The files of a folder in the order of their names, all of one kind. */
function filesOf(folder: string): string[] {
  const names = readdirSync(folder).sort();
  const kinds = [PICTURES, ['.wav'], TABLES];
  const found = kinds.map(ends => names.filter(n => ends.includes(endOf(n)))).filter(list => list.length > 0);
  const [files, other] = found;
  if (!files) return fail('E205', { file: folder, why: `it holds no pictures, no .wav files and no ${TABLES.join(', ')}` });
  if (other) fail('E205', { file: folder, why: `it holds ${must(files[0])} beside ${must(other[0])}; give files of one kind` });
  return files.map(n => join(folder, n));
}
function wantOf(i: InputType, rows: RowsOfFeatures | undefined): Want {
  const [, count] = i.shape;
  const table = i.shape.length === 2 && typeof count === 'number';
  const names = rows?.input === i.name ? rows.names : undefined;
  return { name: i.name, dtype: i.dtype, dims: [], ...(table && { columns: { count, names } }) };
}

async function* samplesOfFile(
  file: string,
  source: CalibrationSource,
  inputs: readonly InputType[],
  wants: readonly Want[],
): AsyncGenerator<Sample> {
  const end = endOf(file);
  if (PICTURES.includes(end)) {
    const input = mediaInput(inputs, source, 'pictures', 4);
    const read = await imageReader();
    yield new Map([[input.name, await read(file, imageOptions(source.image ?? '', input))]]);
    return;
  }
  if (end === '.wav') {
    const input = mediaInput(inputs, source, 'sounds', 1);
    const o = audioOptions(source.audio ?? '', input);
    const sound = readWav(readBytes(file), file);
    if (sound.rate !== o.rate)
      fail('E205', {
        file,
        why: `it has ${sound.rate} samples a second, not ${o.rate}; convert it, or give --audio "rate=${sound.rate}"`,
      });
    for (const t of audioTensors(sound.data, o, input)) yield new Map([[input.name, t]]);
    return;
  }
  if (end === '.jsonl' || end === '.ndjson') {
    for (const [i, line] of readText(file).split('\n').entries())
      if (line.trim() !== '') yield textInputs(line, `${file}:${i + 1}`, wants);
    return;
  }
  yield* samplesIn(loadInputs(file, wants), inputs, basename(file));
}
/** The input that pictures or sounds are for: the only one of floats with enough axes that is not fixed. */
function mediaInput(inputs: readonly InputType[], source: CalibrationSource, what: string, axes: number): InputType {
  const fixed = (source.input ?? []).map(f => f.slice(0, f.lastIndexOf('=')));
  const fits = inputs.filter(i => i.dtype === 'f32' && i.shape.length >= axes && !fixed.includes(i.name));
  const [only] = fits;
  if (!only || fits.length > 1)
    return fail('E403', {
      option: 'calibrate',
      why: `${what} need one input of floats, and the model has ${fits.length === 0 ? 'none' : fits.map(i => i.name).join(', ')}; give the others with --input NAME=FILE, zeros or a number`,
    });
  return only;
}

/** `NAME=FILE`, `NAME=zeros` or `NAME=NUMBER`. */
function fixedInputs(flags: readonly string[], inputs: readonly InputType[]): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  for (const f of flags) {
    const input = inputs.find(i => f.startsWith(`${i.name}=`));
    if (!input) {
      const names = inputs.map(i => i.name).join(', ');
      return fail('E403', { option: 'input', why: `'${f}' is not NAME=FILE, zeros or a number for one of ${names}` });
    }
    const value = f.slice(input.name.length + 1);
    const dims = concrete(input.shape, smallSizes(inputs));
    const number = value === '' ? NaN : Number(value);
    const one = { name: input.name, dtype: input.dtype, dims };
    out.set(input.name, Number.isFinite(number) ? filledWith(one, number) : loadInput(value, one));
  }
  return out;
}
function filledWith({ dtype, dims }: Want, v: number): Tensor {
  return fromNumbers(dtype, dims, new Float64Array(numel(dims)).fill(v));
}
/** Small sizes for all symbols of the inputs. */
function smallSizes(inputs: readonly InputType[]): Bindings {
  const env: Bindings = new Map();
  for (const i of inputs)
    i.shape.forEach((d, axis) => {
      for (const s of symbolsOf(d))
        if (!env.has(s.name)) env.set(s.name, axis === 0 ? Math.max(1, s.lo) : Math.min(s.hi, Math.max(s.lo, START)));
    });
  return env;
}
function randomSample(g: Graph, inputs: readonly InputType[], seed: number): Map<string, Tensor> {
  const env = smallSizes(inputs);
  return new Map(
    inputs.map((p, i) => [p.name, withinTables(g, p.name, randomTensor(p.dtype, concrete(p.shape, env), seed + i))]),
  );
}
