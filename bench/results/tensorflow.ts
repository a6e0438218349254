import { TF_MODELS } from '../../fixtures/tensorflow.ts';
import { geomean } from '../engine/statistics.ts';
import type { Figures, Row, RowPeer } from './figures.ts';
import { engine, factor, peerOf, power, table, threads, time } from './markdown.ts';

/** The runs that README shows, and what it calls them. */
const SHOWN: readonly (readonly [model: string, name: string])[] = [
  ['selfie', 'MediaPipe selfie segmentation (TFLite)'],
  ['mobilenet-v2-1-224-f32', 'MobileNet V2, 224x224 (TFLite)'],
  ['persons-int8', 'visual wake words in 8-bit integers (TFLite)'],
];
const integers = new Set(TF_MODELS.flatMap(m => (m.integers === true ? [m.name] : [])));
const isWasm = (r: Row): boolean => r.target.startsWith('wasm');
/** Ratios of rows to a peer in one number, in words. */
function mean(rows: readonly Row[], peer: RowPeer['name'], what: string): string[] {
  const all = rows.flatMap(r => peerOf(r, peer)?.median ?? []);
  return all.length === 0
    ? []
    : [
        `${what}: ${geomean(all).toFixed(2)} times in the geometric mean of ${all.length}, at least ${Math.min(...all).toFixed(2)}`,
      ];
}
const means = (rows: readonly Row[], peer: RowPeer['name']): string =>
  [
    ...mean(
      rows.filter(r => !integers.has(r.model)),
      peer,
      'floats',
    ),
    ...mean(
      rows.filter(r => integers.has(r.model)),
      peer,
      '8-bit integers',
    ),
  ].join('; ');

/** README's rows: three models of the family against LiteRT.js. */
export function readmeTensorflow(f: Figures): string {
  const rows = SHOWN.flatMap(([model, name]) => {
    const row = f.rows.find(r => r.model === model && isWasm(r));
    const peer = row && peerOf(row, 'litert-js');
    if (!row || !peer) return [];
    const start = peer.start === undefined || row.start === undefined ? '' : factor(peer.start / row.start);
    return [[name, factor(peer.median), start, power(peer.differs)]];
  });
  const head = [
    `TensorFlow Lite, ${threads(f)}, ${engine(f)}`,
    'times faster than LiteRT.js',
    'first answer, times sooner',
    'answers differ by (of the largest)',
  ];
  return table(head, rows);
}

/** The section of bench/RESULTS.md: runs, first answers and compilation of all models, in WebAssembly and as C. */
export function tensorflowPart(f: Figures): string {
  const wasm = f.rows.filter(isWasm);
  const native = f.rows.filter(r => !isWasm(r));
  const { rounds, processes } = f.settings;
  const versions = f.peers.map(p => `${p.name} ${p.version}`).join(', ');
  const targets = (rows: readonly Row[]): string => [...new Set(rows.map(r => r.target))].join(', ');
  const out = [
    `## ${f.date}, Sinter ${f.sinter} at ${f.commit}: TensorFlow's family`,
    `\`${f.command}\`: ${f.machine.engine}, ${threads(f)}, ${f.machine.cpu} with ${f.machine.cores} processors, against ${versions}. Times of a call are medians in
milliseconds; "times faster" is the median over ${processes} × ${rounds} rounds in turns, with the range in which another run is to be expected;
"differs" is the largest difference of an answer as a part of the largest value of its output. MobileNets and what is of MLPerf Tiny's shape have random weights.${f.note === '' ? '' : `\n${f.note}`}`,
  ];
  if (wasm.length > 0)
    out.push(
      `In WebAssembly (${targets(wasm)}):`,
      (['litert-js', 'tfjs-wasm'] as const)
        .flatMap(p => {
          const text = means(wasm, p);
          return text === '' ? [] : [`- against ${p}, ${text}.`];
        })
        .join('\n'),
      runs(wasm, ['litert-js', 'tfjs-wasm']),
      `First answers (from the first line of a fresh process), the code to download, and compilation (to ${targets(wasm)}, in a process of its own):`,
      starts(f, wasm),
    );
  if (native.length > 0)
    out.push(
      `As C (${targets(native)}), against LiteRT in Python: ${means(native, 'litert-python')}.`,
      runs(native, ['litert-python']),
    );
  return `${out.map(x => x.trimEnd()).join('\n\n')}\n`;
}
function runs(rows: readonly Row[], peers: readonly RowPeer['name'][]): string {
  const known = peers.filter(p => rows.some(r => peerOf(r, p)));
  return table(
    ['model', 'input', 'ours, ms', ...known.flatMap(p => [`${p}, ms`, 'times faster', 'differs'])],
    rows.map(r => [
      r.model,
      r.input,
      time(r.ms),
      ...known.flatMap(name => {
        const p = peerOf(r, name);
        return p ? [time(p.ms), `${factor(p.median)} (${factor(p.lo)}–${factor(p.hi)})`, power(p.differs)] : ['', '', ''];
      }),
    ]),
    2,
  );
}
function starts(f: Figures, rows: readonly Row[]): string {
  const ms = (x: number | undefined): string => (x === undefined ? '' : String(Number(x.toPrecision(3))));
  const body = rows.map(r => {
    const [peer] = r.peers;
    const code = f.peers.find(p => p.name === peer?.name)?.code ?? 0;
    const sooner = peer?.start === undefined || r.start === undefined ? '' : factor(peer.start / r.start);
    return [
      r.model,
      peer?.name ?? '',
      ms(r.start),
      ms(peer?.start),
      sooner,
      (r.code / 1e3).toFixed(0),
      code === 0 ? '' : (code / r.code).toFixed(0),
      r.compileMs === undefined ? '' : (r.compileMs / 1e3).toFixed(2),
    ];
  });
  const head = ['model', 'against', 'ours, ms', 'theirs, ms', 'times sooner', 'our code, KB', 'times smaller', 'compiles in, s'];
  return table(head, body, 2);
}
