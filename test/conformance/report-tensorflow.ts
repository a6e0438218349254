import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectDir } from '../../fixtures/paths.ts';
import type { Form } from '../suites/tensorflow-cases.ts';
import { commonEnds, groups, line, outcomeOf, reasons, suitesOf, type CaseRow } from './report.ts';
import type { Way } from './runners.ts';

/** The suites that have a table together: formats that one importer reads. */
interface Family {
  readonly name: string;
  readonly suites: readonly Form[];
  readonly title: string;
  /** What the tables are by. */
  readonly of: string;
  readonly from: string;
}
const TF2ONNX = "tests of tf2onnx's test_backend.py, run by TensorFlow 2.15.1";
export const FAMILIES: readonly Family[] = [
  {
    name: 'tensorflow',
    suites: ['graphdef', 'saved_model', 'tfjs'],
    title: 'TensorFlow operators',
    of: 'operator',
    from: TF2ONNX,
  },
  { name: 'tflite', suites: ['tflite'], title: 'TensorFlow Lite operators', of: 'operator', from: TF2ONNX },
  { name: 'keras', suites: ['keras', 'h5'], title: 'Keras layers', of: 'layer', from: "Keras 3.15.1's own tests of layers" },
];
/** How every case of a family ends; a new run must not be worse. */
export const floorFileOf = (family: string): string => fileURLToPath(new URL(`./floor-${family}.json`, import.meta.url));
const tableFileOf = (family: string): string => join(projectDir, 'docs', `operators-${family}.md`);

/** Writes the floors and the tables of those families whose suites have all been run. */
export function writeTfReports(rows: readonly CaseRow[], ways: readonly Way[]): readonly string[] {
  const ran = new Set(rows.map(r => r.suite));
  return FAMILIES.filter(f => f.suites.every(s => ran.has(s))).map(f => {
    const own = rows.filter(r => f.suites.some(s => s === r.suite));
    writeFileSync(floorFileOf(f.name), commonEnds(own, ways));
    const file = tableFileOf(f.name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, table(f, own, ways));
    return file;
  });
}
function table(f: Family, rows: readonly CaseRow[], ways: readonly Way[]): string {
  const way = ways.at(-1) ?? 'evaluate';
  const passes = (r: CaseRow): boolean => outcomeOf(r, way)?.k === 'passed';
  const count = (list: readonly CaseRow[]): string =>
    list.length === 0 ? '' : `${list.filter(passes).length} of ${list.length}`;
  const operators = groups(
    rows.flatMap(row => row.operators.map(op => ({ op, row }))),
    x => x.op,
  );
  const out = [
    `# ${f.title}`,
    '',
    `How many models of ${f.from}, give TensorFlow's answers, by ${f.of}: a model counts for each ${f.of} that it has. Made by \`npm run conformance -- --suite ${f.suites.join()} --on ${ways.join()} --write\`; do not edit.`,
    '',
    line(['format', 'models', ...ways]),
    line(['---', '---:', ...ways.map(() => '---:')]),
    ...suitesOf(rows).map(([s, list]) =>
      line([s, String(list.length), ...ways.map(w => String(list.filter(r => outcomeOf(r, w)?.k === 'passed').length))]),
    ),
    '',
    `## By ${f.of}`,
    '',
    line([f.of, ...f.suites]),
    line(['---', ...f.suites.map(() => '---:')]),
    ...operators
      .sort((a, b) => (a[0].toLowerCase() < b[0].toLowerCase() ? -1 : 1))
      .map(([op, list]) => line([op, ...f.suites.map(s => count(list.flatMap(x => (x.row.suite === s ? [x.row] : []))))])),
    '',
    '## Models that do not pass',
    '',
    ...rows.filter(r => !passes(r)).map(r => `- ${r.suite}/${r.name}: ${reasons([r], way).join('; ')}`),
  ];
  return `${out.join('\n')}\n`;
}
