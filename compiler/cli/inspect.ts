import { basename } from 'node:path';
import type { Format } from '../import/model.ts';
import { inspect, type InspectedPort, type OnnxInspection, type TreeInspection } from '../inspect.ts';
import { drawHtml } from './draw.ts';
import { readBytes, writeFile } from '../host/files.ts';
import { folderResolver } from '../host/external.ts';
import { many, showBytes, showCount, showTrees, table } from '../core/format.ts';
import { UsageError, type Terminal } from './terminal.ts';

export interface InspectFlags {
  readonly json?: boolean;
  readonly html?: string;
  readonly format?: Format;
}

/** `sinter inspect MODEL`. */
export async function inspectCommand(path: string, o: InspectFlags, t: Terminal): Promise<void> {
  const x = inspect({
    model: readBytes(path),
    file: basename(path),
    external: folderResolver(path),
    ...(o.format && { format: o.format }),
  });
  if (o.html !== undefined && x.format !== 'onnx')
    throw new UsageError('--html draws graphs of ONNX; models of trees have none to draw');
  if (o.json === true) {
    t.out(`${JSON.stringify({ ...x, graph: undefined }, null, 2)}\n`);
  } else t.out(x.format === 'onnx' ? describe(x) : describeTrees(x));
  if (o.html === undefined || x.format !== 'onnx') return;
  writeFile(o.html, await drawHtml(x));
  if (o.json !== true) t.err(`drawn in ${o.html}\n`);
}

function describeTrees(x: TreeInspection): string {
  const ports = (list: readonly InspectedPort[]): string => table(list.map(p => [p.name, `${p.type} ${shape(p)}`]));
  const facts = [
    ['objective', `${x.objective}${x.groups > 1 ? `, ${x.groups} outputs` : ''}`],
    ['booster', `${x.booster}${x.rounds > 0 ? `, ${many(x.rounds, 'round')}` : ''}${x.folds > 1 ? ' in each fold' : ''}`],
    ...(x.trees ? [['trees', showTrees(x.trees)]] : []),
    ['features', `${x.features}${x.featureNames.length > 0 ? `: ${some(x.featureNames)}` : ', without names'}`],
    ...(x.labels.length > 0 ? [['classes', some(x.labels)]] : []),
    ['missing', x.missing],
    ['supported', x.problem === undefined ? 'yes' : `no: ${x.problem.message}`],
  ];
  const warnings = x.warnings.map(w => `warning: ${w.message}\n`).join('');
  return (
    `${x.file}: ${x.by}, ${x.form}, ${showBytes(x.bytes)}\n` +
    `${x.inputs.length > 0 ? `inputs\n${ports(x.inputs)}outputs\n${ports(x.outputs)}` : ''}${table(facts, [], '')}${warnings}`
  );
}
const some = (names: readonly string[]): string => `${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}`;

function describe(x: OnnxInspection): string {
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
