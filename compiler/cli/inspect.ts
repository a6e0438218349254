import type { InspectedPort } from '../import/importer.ts';
import type { Format } from '../import/index.ts';
import { inspect, type Inspection } from '../inspect.ts';
import { drawHtml } from './draw.ts';
import { beginJson, type JsonFlag } from './json.ts';
import { writeFile } from '../host/files.ts';
import { readModel } from '../host/model.ts';
import { showBytes, showCount, showTrees, table } from '../core/format.ts';
import type { Terminal } from './terminal.ts';

interface InspectFlags {
  readonly json?: JsonFlag;
  readonly html?: string;
  readonly format?: Format;
}

/** `sinter inspect MODEL`. */
export async function inspectCommand(path: string, o: InspectFlags, t: Terminal): Promise<void> {
  const json = beginJson(o.json, t);
  const x = inspect({ ...readModel(path), ...(o.format && { format: o.format }) });
  if (json?.alone !== true) t.out(describe(x));
  json?.write(x);
  if (o.html === undefined) return;
  writeFile(o.html, await drawHtml(x));
  if (json?.alone !== true) t.err(`drawn in ${o.html}\n`);
}

function describe(x: Inspection): string {
  const ports = (list: readonly InspectedPort[]): string => table(list.map(p => [p.name, `${p.type} ${shape(p)}`]));
  const { tensors, elements, bytes } = x.parameters;
  const rows = [
    ...Object.entries(x.facts).map(([name, v]) => [name, typeof v === 'object' ? some(v) : String(v)]),
    ...(x.trees ? [['trees', showTrees(x.trees)]] : []),
    ...(tensors > 0 ? [['parameters', `${showCount(elements)} in ${tensors} tensors, ${showBytes(bytes)}`]] : []),
    ...(x.macs ? [['multiply-adds', `${showCount(x.macs.count)}${at(x.macs.at)}`]] : []),
    ['supported', x.problem === undefined ? 'yes' : `no: ${x.problem.message}`],
  ];
  const operators = Object.entries(x.operators).map(([op, n]) => `${op} ${n}`);
  const parts = [
    `${x.file}: ${x.title}, ${showBytes(x.bytes)}\n`,
    x.inputs.length > 0 ? `inputs\n${ports(x.inputs)}` : '',
    x.outputs.length > 0 ? `outputs\n${ports(x.outputs)}` : '',
    x.free.length > 0
      ? `free dimensions, chosen with --dim NAME=N or NAME=A..B\n${table(x.free.map(f => [f.name, f.places.join(', ')]))}`
      : '',
    operators.length > 0 ? `operators\n${columns(operators)}` : '',
    table(rows, [], ''),
    ...x.warnings.map(w => `warning: ${w.message}\n`),
  ];
  return parts.join('');
}
const some = (names: readonly string[]): string => `${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}`;
const shape = (p: InspectedPort): string => (p.shape === null ? 'of unknown rank' : `[${p.shape.join(', ')}]`);
const at = (sizes: Readonly<Record<string, number>>): string => {
  const list = Object.entries(sizes).map(([n, v]) => `${n}=${v}`);
  return list.length === 0 ? '' : ` at ${list.join(', ')}`;
};
/** Items side by side in lines of about a hundred characters. */
function columns(items: readonly string[]): string {
  const lines: string[] = [];
  for (const i of items) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + i.length < 98) lines[lines.length - 1] = `${last}, ${i}`;
    else lines.push(`  ${i}`);
  }
  return lines.map(l => `${l}\n`).join('');
}
