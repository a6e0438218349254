import { basename } from 'node:path';
import { inspect, type InspectedPort, type Inspection } from '../inspect.ts';
import { drawHtml } from './draw.ts';
import { readBytes, writeFile } from './files.ts';
import { folderResolver } from './io/external.ts';
import { showBytes, showCount, table, type Terminal } from './terminal.ts';

export interface InspectFlags {
  readonly json?: boolean;
  readonly html?: string;
}

/** `sinter inspect MODEL`. */
export async function inspectCommand(path: string, o: InspectFlags, t: Terminal): Promise<void> {
  const x = inspect({ model: readBytes(path), file: basename(path), external: folderResolver(path) });
  if (o.json === true) {
    t.out(`${JSON.stringify({ ...x, graph: undefined }, null, 2)}\n`);
  } else t.out(describe(x));
  if (o.html === undefined) return;
  writeFile(o.html, await drawHtml(x));
  if (o.json !== true) t.err(`drawn in ${o.html}\n`);
}

function describe(x: Inspection): string {
  const opsets = Object.entries(x.opsets).map(([d, v]) => `${d} ${v}`);
  const ports = (list: readonly InspectedPort[]): string => table(list.map(p => [p.name, `${p.type} ${shape(p)}`]));
  const facts = [
    ['parameters', `${showCount(x.parameters.elements)} in ${x.parameters.tensors} tensors, ${showBytes(x.parameters.bytes)}`],
    ['multiply-adds', x.macs ? `${showCount(x.macs.count)}${at(x.macs.at)}` : 'not known'],
    ['supported', x.problem === undefined ? 'yes' : `no: ${x.problem.message}`],
  ];
  const free =
    x.free.length === 0
      ? ''
      : `free dimensions, chosen with --dim NAME=N or NAME=A..B\n${table(x.free.map(f => [f.name, f.places.join(', ')]))}`;
  const warnings = x.warnings.map(w => `warning: ${w.message}\n`).join('');
  return (
    `${x.file}: ONNX, ${showBytes(x.bytes)}, IR ${x.irVersion}, operator sets ${opsets.join(', ')}${x.producer === '' ? '' : `, by ${x.producer}`}\n` +
    `inputs\n${ports(x.inputs)}outputs\n${ports(x.outputs)}${free}` +
    `operators\n${columns(Object.entries(x.operators).map(([op, n]) => `${op} ${n}`))}` +
    `${table(facts, [], '')}${warnings}`
  );
}
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
