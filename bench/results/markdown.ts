import type { PeerName } from '../index.ts';
import { geomean } from '../engine/statistics.ts';
import type { Figures, Row, RowPeer } from './figures.ts';

/** The part of a text between `<!-- NAME -->` and `<!-- end of NAME -->`, replaced. Throws where the text has no such part. */
export function withPart(text: string, name: string, part: string): string {
  const [from, to] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const [a, b] = [text.indexOf(from), text.indexOf(to)];
  if (a < 0 || b < a) throw new Error(`there is no part '${name}'`);
  return `${text.slice(0, a + from.length)}\n${part}\n${text.slice(b)}`;
}

/** The runs that README shows, and what it calls them. */
const SHOWN: readonly (readonly [model: string, input: string, name: string])[] = [
  ['ppocr-det', '1x3x320x320', 'PP-OCR detector, 320x320'],
  ['ppocr-rec', '1x3x48x320', 'PP-OCR recogniser, width 320'],
  ['silero-vad', '1x512', 'Silero voice activity, one chunk'],
  ['oww-embedding', '1x76x32x1', 'openWakeWord embedding'],
  ['blazeface-back', '1x256x256x3', 'MediaPipe BlazeFace, back camera'],
  ['mlsd-tiny-512', '1x512x512x4', 'M-LSD tiny, 512x512'],
  ['minilm', '1x128', 'all-MiniLM-L6-v2, 128 tokens'],
];
export const peerOf = (r: Row, name: PeerName): RowPeer | undefined => r.peers.find(p => p.name === name);
const meanOf = (f: Figures, name: PeerName): number => geomean(f.rows.flatMap(r => peerOf(r, name)?.median ?? []));
export const engine = (f: Figures): string => f.machine.engine.replace(/^Node v(\d+).*/, 'Node $1');
export const threads = (f: Figures): string => (f.settings.threads === 1 ? 'one thread' : `${f.settings.threads} threads`);
export const power = (x: number | null | undefined): string =>
  x === undefined ? '' : x === null ? 'wholly' : x === 0 ? 'same bits' : x.toExponential(0);

/** README's table of networks against onnxruntime-web. */
export function readmePart(f: Figures): string {
  const web = f.peers.find(p => p.name === 'onnxruntime-web');
  const rows = SHOWN.flatMap(([model, input, name]) => {
    const row = f.rows.find(r => r.model === model && r.input === input);
    const peer = row && peerOf(row, 'onnxruntime-web');
    return peer ? [[name, peer.median.toFixed(1), power(peer.differs)]] : [];
  });
  const models = new Set(f.rows.map(r => r.model)).size;
  const mean = [
    `**geometric mean of ${f.rows.length} runs of ${models} models**`,
    `**${meanOf(f, 'onnxruntime-web').toFixed(1)}**`,
    '',
  ];
  const head = [
    `real model, ${threads(f)}, ${engine(f)}`,
    'times faster than onnxruntime-web',
    'answers differ by (of the largest)',
  ];
  const most = Math.max(...f.rows.map(r => r.code));
  const size = `The code to download is ${((web?.code ?? 0) / 1e6).toFixed(0)} MB for onnxruntime-web and at most ${Math.ceil(most / 1e3)} KB for each of these.`;
  return `${table(head, [...rows, mean])}\n${size} All runs, and the circumstances: [bench/RESULTS.md](bench/RESULTS.md).\n`;
}
/** The sections of bench/RESULTS.md: every run against every peer. */
export const resultsPart = (f: Figures): string => section(f, 'networks');
export const operatorsPart = (f: Figures): string => section(f, 'operators, one by one,');
function section(f: Figures, what: string): string {
  const targets = [...new Set(f.rows.map(r => r.target))].join(', ');
  const [cells, heads] = [f.peers.map(p => p.name), f.peers.flatMap(p => [`${p.name}, ms`, 'times faster', 'differs'])];
  const rows = f.rows.map(r => [
    r.model,
    r.input,
    time(r.ms),
    ...cells.flatMap(name => {
      const p = peerOf(r, name);
      return p ? [time(p.ms), `${factor(p.median)} (${factor(p.lo)}–${factor(p.hi)})`, power(p.differs)] : ['', '', ''];
    }),
  ]);
  const means = f.peers.map(p => {
    const all = f.rows.flatMap(r => peerOf(r, p.name)?.median ?? []);
    return `${geomean(all).toFixed(2)} times faster than ${p.name} ${p.version} in the geometric mean of ${all.length} runs, at least ${Math.min(...all).toFixed(2)} times`;
  });
  const { rounds, processes } = f.settings;
  return `## ${f.date}, Sinter ${f.sinter} at ${f.commit}: ${what} in WebAssembly

\`${f.command}\`:
${targets}, ${f.machine.engine}, ${threads(f)}, ${f.machine.cpu} with ${f.machine.cores} processors. Times of a call are medians in
milliseconds; "times faster" is the median over ${processes} × ${rounds} rounds in turns, with the range in which another run is to be expected;
"differs" is the largest difference of an answer as a part of the largest value of its output.${f.note === '' ? '' : `\n${f.note}`}

${means.join(';\n')}.

${table(['model', 'input', 'ours, ms', ...heads], rows, 2)}`;
}
export const time = (ms: number): string => String(Number(ms.toPrecision(3)));
export const factor = (x: number): string => x.toFixed(x < 10 ? 2 : 1);

/** A table of Markdown as Prettier writes it; columns after the first `left` are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = head.map((h, i) => Math.max(3, h.length, ...rows.map(r => (r[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((c, i) => (i < left ? c.padEnd(widths[i] ?? 0) : c.padStart(widths[i] ?? 0))).join(' | ')} |\n`;
  const rule = widths.map((w, i) => (i < left ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`));
  return line(head) + line(rule) + rows.map(line).join('');
}
