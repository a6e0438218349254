import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectDir } from '../../fixtures/paths.ts';
import type { Form } from '../suites/tensorflow-cases.ts';
import { endsOf, groups, line, outcomeOf, reasons, suitesOf, type CaseRow, type Floor } from './report.ts';
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
const FAMILIES: readonly Family[] = [
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
const floorFileOf = (family: string): string => fileURLToPath(new URL(`./floor-${family}.json`, import.meta.url));
const tableFileOf = (family: string): string => join(projectDir, 'docs', `operators-${family}.md`);

/** How the cases of a family end, by how they are run; ways differ where C or WebAssembly lacks what the evaluator has. */
export type Floors = Readonly<Partial<Record<Way, Floor>>>;
const floorsOf = (rows: readonly CaseRow[], ways: readonly Way[]): Floors =>
  Object.fromEntries(ways.map(w => [w, endsOf(rows, w)]));
/** Cases that end worse than the floor of their family says: those that passed. Nothing where a family, or a way, has no floor. */
export function lost(rows: readonly CaseRow[], ways: readonly Way[]): readonly string[] {
  return FAMILIES.flatMap(f => {
    const own = rows.filter(r => f.suites.some(s => s === r.suite));
    if (own.length === 0 || !existsSync(floorFileOf(f.name))) return [];
    const floors = JSON.parse(readFileSync(floorFileOf(f.name), 'utf8')) as Floors;
    return ways.flatMap(way => {
      const floor = floors[way];
      if (!floor) return [];
      const known = new Set(Object.values(floor.rest).flat());
      return Object.values(endsOf(own, way).rest).flatMap(names => names.filter(n => !known.has(n)).map(n => `${n} on ${way}`));
    });
  });
}

/** Writes the floors and the tables of those families whose suites have all been run. */
export function writeTfReports(rows: readonly CaseRow[], ways: readonly Way[]): readonly string[] {
  const ran = new Set(rows.map(r => r.suite));
  return FAMILIES.filter(f => f.suites.every(s => ran.has(s))).map(f => {
    const own = rows.filter(r => f.suites.some(s => s === r.suite));
    writeFileSync(floorFileOf(f.name), `${JSON.stringify(floorsOf(own, ways), undefined, 2)}\n`);
    const file = tableFileOf(f.name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, table(f, own, ways));
    return file;
  });
}
function table(f: Family, rows: readonly CaseRow[], ways: readonly Way[]): string {
  const passed = (list: readonly CaseRow[], way: Way): number => list.filter(r => outcomeOf(r, way)?.k === 'passed').length;
  const count = (list: readonly CaseRow[]): string => {
    if (list.length === 0) return '';
    const each = ways.map(w => passed(list, w));
    return `${[...new Set(each)].length === 1 ? String(each[0]) : each.join(' and ')} of ${list.length}`;
  };
  const several = ways.length > 1 ? ` Two numbers are of ${ways.join(' and ')}.` : '';
  const operators = groups(
    rows.flatMap(row => row.operators.map(op => ({ op, row }))),
    x => x.op,
  );
  const out = [
    `# ${f.title}`,
    '',
    `How many models of ${f.from}, give TensorFlow's answers, by ${f.of}: a model counts for each ${f.of} that it has.${several} Made by \`npm run conformance -- --suite ${f.suites.join()} --on ${ways.join()} --write\`; do not edit.`,
    '',
    line(['format', 'models', ...ways]),
    line(['---', '---:', ...ways.map(() => '---:')]),
    ...suitesOf(rows).map(([s, list]) => line([s, String(list.length), ...ways.map(w => String(passed(list, w)))])),
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
    ...rows.flatMap(r => {
      const why = ways.map(w => reasons([r], w).join('; '));
      const [first = ''] = why;
      if (why.every(x => x === '')) return [];
      return [
        `- ${r.suite}/${r.name}: ${why.every(x => x === first) ? first : why.map((x, i) => `${ways[i] ?? ''}: ${x || 'passes'}`).join('; ')}`,
      ];
    }),
  ];
  return `${out.join('\n')}\n`;
}
