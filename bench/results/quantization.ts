import { table } from './markdown.ts';

/** What `npm run bench -- quantization` found: bench/suites/quantization.json. */
export interface QuantizationFigures {
  readonly date: string;
  readonly commit: string;
  readonly target: string;
  readonly engine: string;
  readonly cpu: string;
  /** What a reader must know of the circumstances; empty: nothing. */
  readonly note: string;
  readonly rows: readonly QuantizationRow[];
}
/** A model with one scheme. */
export interface QuantizationRow {
  readonly model: string;
  readonly title: string;
  /** What `right` counts, in percent of `items`. */
  readonly what: string;
  readonly items: number;
  readonly scheme: 'float' | 'int8' | 'mixed';
  readonly right: number;
  /** The mean cosine of the answers with those of floats. */
  readonly cosine: number;
  readonly bytes: number;
  readonly gzip: number;
  readonly load: number;
  /** How many times faster than floats, where that was measured. */
  readonly faster?: number;
}
const size = (bytes: number): string => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} KB` : `${(bytes / 1e6).toFixed(1)} MB`);
const speed = (r: QuantizationRow | undefined): string => r?.faster?.toFixed(2) ?? '';

/** README's table: a model a line, with what it gets right, its download and its speed as floats, in 8 bits and mixed. */
export function readmeQuantization({ rows, engine }: QuantizationFigures): string {
  const models = [...new Set(rows.map(r => r.model))];
  const lines = models.map(m => {
    const of = (s: QuantizationRow['scheme']): QuantizationRow | undefined => rows.find(r => r.model === m && r.scheme === s);
    const [float, int8, mixed] = [of('float'), of('int8'), of('mixed')];
    const three = (show: (r: QuantizationRow) => string): string => [float, int8, mixed].map(r => (r ? show(r) : '')).join(' / ');
    return [float?.title ?? m, three(r => r.right.toFixed(1)), three(r => size(r.gzip)), `${speed(int8)} / ${speed(mixed)}`];
  });
  return table(
    [
      'float / int8 / mixed 4 and 8 bits',
      'percent right',
      'download, gzip',
      `times as fast as float, ${engine.replace(/^Node v(\d+).*/, 'Node $1')}`,
    ],
    lines,
  );
}
/** The section of bench/RESULTS.md. */
export function quantizationPart({ rows, date, commit, engine, cpu, target, note }: QuantizationFigures): string {
  const cells = rows.map(r => {
    const float = rows.find(x => x.model === r.model && x.scheme === 'float') ?? r;
    return [
      r.title,
      r.scheme,
      `${r.right} % of ${r.items} ${r.what}`,
      String(r.cosine),
      size(r.bytes),
      (r.bytes / float.bytes).toFixed(3),
      size(r.gzip),
      (r.gzip / float.gzip).toFixed(3),
      String(r.load),
      speed(r),
    ];
  });
  return `## ${date}, Sinter at ${commit}: floats, 8-bit integers, 4 and 8 bits mixed

\`npm run bench -- quantization\`: ${target}, ${engine}, one thread, ${cpu}. Plans by default settings on the calibration data of
\`fixtures/quantize\`: \`--scheme int8\`, and \`--scheme w4\` for mixed. Answers of the bundles themselves on data that took no part in making the plans;
"cosine" is the mean over these of that with the answers of floats. Speed: calls on one item in turns in one process, the median of the ratios.${note === '' ? '' : `\n${note}`}

${table(['model', 'scheme', 'right', 'cosine', 'bytes', 'of float', 'gzip', 'of float', 'load, ms', 'times as fast'], cells, 3)}`;
}
