import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/**
 * A folder may import from itself and from those before it, at run time; types vanish, so they may come from anywhere. `backends` are
 * the values that join code generation and packaging, backend/index.ts and backend/NAME/index.ts; `target` reads profiles, which the back
 * ends check; `.` is the pipeline and what a page has of the API: compile.ts, inspect.ts, options.ts, ranges.ts and index.ts.
 */
const ORDER = [
  'core',
  'kernel',
  'graph',
  'ops',
  'passes',
  'import',
  'program',
  'lower',
  'backend',
  'bundle',
  'backends',
  'target',
  'data',
  '.',
  'host',
  'run',
  'reference',
  'verify',
  'bench',
  'node',
  'cli',
];
/** The folders of bench/ that the package ships; the rest of it are scripts. */
const SHIPPED = ['engine', 'operators', 'peers', 'regress', 'report', 'suite'];
const NODE = ['host', 'run', 'reference', 'verify', 'bench', 'node', 'cli'];
const rank = (folder: string): number => ORDER.indexOf(folder);

const tsIn = (dir: string): string[] =>
  readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
    .filter(f => f.endsWith('.ts'))
    .map(f => `${dir}/${f.replaceAll('\\', '/')}`);
const files = [...tsIn('compiler'), 'bench/index.ts', ...SHIPPED.flatMap(f => tsIn(`bench/${f}`))];
function folderOf(f: string): string {
  if (f === 'compiler/node.ts') return 'node';
  if (/^compiler\/backend\/(?:\w+\/)?index\.ts$/.test(f)) return 'backends';
  const [top, folder, more] = f.split('/');
  return top === 'bench' ? 'bench' : more === undefined ? '.' : (folder ?? '.');
}
const textOf = (f: string): string => readFileSync(join(root, f), 'utf8');
interface Edge {
  readonly from: string;
  readonly to: string;
}
function edges(file: string): Edge[] {
  const out: Edge[] = [];
  for (const m of textOf(file).matchAll(/^(?:import|export)(?! type)[^;]*?from '(\.[^']+)';/gms)) {
    const names = /\{([^}]*)\}/.exec(m[0])?.[1];
    const onlyTypes = names !== undefined && names.split(',').every(n => n.trim() === '' || n.trim().startsWith('type '));
    if (!onlyTypes) out.push({ from: file, to: relative(root, resolve(root, dirname(file), m[1] ?? '')) });
  }
  return out;
}
/** The first cycle of imports at run time that is found, as a list of files. */
function cycleIn(all: readonly string[]): readonly string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (f: string): readonly string[] => {
    if (path.includes(f)) return [...path.slice(path.indexOf(f)), f];
    if (done.has(f)) return [];
    path.push(f);
    for (const e of edges(f)) {
      const found = visit(e.to);
      if (found.length > 0) return found;
    }
    path.pop();
    done.add(f);
    return [];
  };
  for (const f of all) {
    const found = visit(f);
    if (found.length > 0) return found;
  }
  return [];
}

describe('folders', () => {
  it('are those that were given at the top', () => {
    const given = ['bench', 'compiler', 'fixtures', 'runtimes', 'serving', 'targets', 'test'];
    const here = ['node_modules', 'dist', 'out', 'coverage'];
    const found = readdirSync(root, { withFileTypes: true }).filter(f => !f.name.startsWith('.') && !here.includes(f.name));
    expect(found.filter(f => f.isDirectory() && !given.includes(f.name)).map(f => f.name)).toEqual([]);
    const kept = ['README.md', 'package.json', 'package-lock.json', 'tsconfig.json'];
    expect(found.filter(f => f.isFile() && !kept.includes(f.name)).map(f => f.name)).toEqual([]);
    expect(given.filter(f => f !== 'serving' && !existsSync(join(root, f)))).toEqual([]);
  });
  it('are all in the order of imports', () => {
    expect(files.map(folderOf).filter(f => rank(f) < 0)).toEqual([]);
  });
  it('import only from folders before them', () => {
    const wrong = files.flatMap(edges).filter(e => rank(folderOf(e.to)) > rank(folderOf(e.from)));
    expect(wrong).toEqual([]);
  });
  it('have no cycle of imports', () => {
    expect(cycleIn(files)).toEqual([]);
  });
  it('reach Node modules only where files and processes are', () => {
    const wrong = files.filter(f => !NODE.includes(folderOf(f)) && /from 'node:/.test(textOf(f)));
    expect(wrong).toEqual([]);
  });
  it('touch binaryen in one place only', () => {
    const wrong = files.filter(f => !f.startsWith('compiler/backend/wasm') && /['"]binaryen['"]/.test(textOf(f)));
    expect(wrong).toEqual([]);
  });
});
