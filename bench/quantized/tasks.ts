/** Real models and what they are asked, on the data that `fixtures/quantize/data.py` and `packages.py` write. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { readNpy } from '../../compiler/data/npy.ts';
import { readNpz } from '../../compiler/data/npz.ts';
import { locate } from '../../fixtures/models.ts';
import { projectDir } from '../../fixtures/paths.ts';

export interface Task {
  readonly name: string;
  /** What the model is, and what its figure counts. */
  readonly title: string;
  readonly what: string;
  readonly calibration: string;
  /** The path of the model, and the real model that says its sizes. */
  model(data: string): string;
  readonly real?: string;
  readonly dims?: Readonly<Record<string, number>>;
  /** The name of an output to compare by its cosine. */
  readonly embedding?: string;
  /** For each item of the test whether an answer is right. */
  judge(data: string): (answer: ReadonlyMap<string, Tensor>, label: string) => boolean;
}
const ASSETS = join(projectDir, 'node_modules', '@gutenye', 'ocr-models', 'assets');
const here = (name: string) => (): string => must(locate(name), `${name}, which \`npm run fixtures\` fetches,`);
const only = (answer: ReadonlyMap<string, Tensor>): Tensor => must([...answer.values()][0]);
const largest = (v: Float64Array): number => v.indexOf(v.reduce((a, b) => Math.max(a, b), -Infinity));
const isClass = () => (answer: ReadonlyMap<string, Tensor>, label: string) => largest(toNumbers(only(answer))) === Number(label);

export const TASKS: readonly Task[] = [
  {
    name: 'mnist',
    title: 'digits of MNIST, a small network',
    what: 'digits right',
    calibration: 'mnist-calib.npz',
    model: data => join(data, 'mnist.onnx'),
    dims: { batch: 1 },
    judge: isClass,
  },
  {
    name: 'cls',
    title: 'PP-OCR: is a line upside down?',
    what: 'lines right',
    calibration: 'cls-calib.npz',
    model: here('ppocr-cls'),
    real: 'ppocr-cls',
    judge: isClass,
  },
  {
    name: 'rec',
    title: 'PP-OCR: what does a line say?',
    what: 'lines right',
    calibration: 'rec-calib',
    model: here('ppocr-rec'),
    real: 'ppocr-rec',
    judge: () => {
      const keys = readFileSync(join(ASSETS, 'ppocr_keys_v1.txt'), 'utf8').split('\n');
      return (answer, label) => said(only(answer), keys).replaceAll(' ', '') === label.replaceAll(' ', '');
    },
  },
  {
    name: 'mails',
    title: 'MiniLM: is a mail spam?',
    what: 'mails right',
    calibration: 'mails-calib.npz',
    model: here('minilm'),
    real: 'minilm',
    embedding: 'sentence_embedding',
    judge: data => {
      const head = readNpz(readFileSync(join(data, 'mails-head.npz')), 'mails-head.npz');
      const [w, b] = ['w', 'b'].map(name => toNumbers(must(head.get(name))));
      return (answer, label) => {
        const x = toNumbers(must(answer.get('sentence_embedding')));
        return x.reduce((sum, v, i) => sum + v * (w?.[i] ?? 0), b?.[0] ?? 0) > 0 === (label === '1');
      };
    },
  },
];
/** The text that the steps of a recogniser spell: a letter where it changes, none for 0. */
function said(t: Tensor, keys: readonly string[]): string {
  const values = toNumbers(t);
  const width = must(t.dims.at(-1));
  let [text, last] = ['', 0];
  for (let at = 0; at < values.length; at += width) {
    const step = largest(values.subarray(at, at + width));
    if (step !== 0 && step !== last) text += keys[step - 1] ?? ' ';
    last = step;
  }
  return text;
}

/** The items of a test: inputs by name, and labels. `first` is what the input is called where the data are of one. */
export function* testItems(
  task: Task,
  data: string,
  first: string,
): Generator<{ readonly inputs: ReadonlyMap<string, Tensor>; readonly label: string }> {
  const labels = readFileSync(join(data, `${task.name}-test.txt`), 'utf8').split('\n');
  if (task.name === 'rec') {
    const dir = join(data, 'rec-test');
    const files = readdirSync(dir).sort();
    for (const [i, f] of files.entries())
      yield { inputs: new Map([[first, readNpy(readFileSync(join(dir, f)), f)]]), label: labels[i] ?? '' };
    return;
  }
  const arrays = readNpz(readFileSync(join(data, `${task.name}-test.npz`)), `${task.name}-test.npz`);
  const one = arrays.size === 1;
  const count = must(only(arrays).dims[0]);
  for (let i = 0; i < count; i++)
    yield {
      inputs: new Map(
        [...arrays].map(([name, t]) => [
          one ? first : name,
          one ? { ...itemOf(t, i), dims: [1, ...t.dims.slice(1)] } : itemOf(t, i),
        ]),
      ),
      label: labels[i] ?? '',
    };
}
function itemOf(t: Tensor, i: number): Tensor {
  const size = t.bytes.length / must(t.dims[0]);
  return { dtype: t.dtype, dims: t.dims.slice(1), bytes: t.bytes.subarray(i * size, (i + 1) * size) };
}
