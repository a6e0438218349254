import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { filesIn, readModule, root, type Module } from './modules.ts';

/**
 * A folder may import from itself and from those before it, at run time; types vanish, so they may come from anywhere. `backends` are
 * the values that join code generation and packaging, backend/index.ts and backend/NAME/index.ts; `target` reads profiles, which the back
 * ends check; importers know no target, so they come before the passes; `.` is the pipeline and what a page has of the API: compile.ts, inspect.ts, quantization.ts, options.ts, ranges.ts and index.ts.
 */
const ORDER = [
  'core',
  'kernel',
  'graph',
  'ops',
  'import',
  'passes',
  'program',
  'lower',
  'backend',
  'bundle',
  'backends',
  'target',
  'data',
  'quantize',
  '.',
  'host',
  'run',
  'tune',
  'reference',
  'verify',
  'bench',
  'node',
  'cli',
];
/** The folders of bench/ that the package ships; the rest of it are scripts. */
const SHIPPED = ['engine', 'operators', 'peers', 'regress', 'report', 'suite'];
const NODE = ['host', 'run', 'tune', 'reference', 'verify', 'bench', 'node', 'cli'];
const rank = (folder: string): number => ORDER.indexOf(folder);

const modules = new Map(
  [...filesIn('compiler', ...SHIPPED.map(f => `bench/${f}`)), 'bench/index.ts'].map(f => [f, readModule(f)]),
);
const all = [...modules.values()];
function folderOf(f: string): string {
  if (f === 'compiler/node.ts') return 'node';
  if (/^compiler\/backend\/(?:\w+\/)?index\.ts$/.test(f)) return 'backends';
  const [top, folder, more] = f.split('/');
  return top === 'bench' ? 'bench' : more === undefined ? '.' : (folder ?? '.');
}
/** The files that a module imports at run time. */
const edges = (m: Module): string[] => m.imports.flatMap(i => (i.to === undefined || i.onlyTypes ? [] : [i.to]));

/** The first cycle of imports at run time that is found, as a list of files. */
function cycle(): readonly string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (f: string): readonly string[] => {
    if (path.includes(f)) return [...path.slice(path.indexOf(f)), f];
    const m = modules.get(f);
    if (!m || done.has(f)) return [];
    path.push(f);
    for (const to of edges(m)) {
      const found = visit(to);
      if (found.length > 0) return found;
    }
    path.pop();
    done.add(f);
    return [];
  };
  for (const f of modules.keys()) {
    const found = visit(f);
    if (found.length > 0) return found;
  }
  return [];
}

describe('folders', () => {
  it('are those that were given at the top', () => {
    const given = ['bench', 'compiler', 'docs', 'fixtures', 'runtimes', 'serving', 'targets', 'test'];
    const here = ['node_modules', 'dist', 'out', 'coverage'];
    const found = readdirSync(root, { withFileTypes: true }).filter(f => !f.name.startsWith('.') && !here.includes(f.name));
    expect(found.filter(f => f.isDirectory() && !given.includes(f.name)).map(f => f.name)).toEqual([]);
    const kept = ['README.md', 'package.json', 'package-lock.json', 'tsconfig.json'];
    expect(found.filter(f => f.isFile() && !kept.includes(f.name)).map(f => f.name)).toEqual([]);
    expect(given.filter(f => f !== 'serving' && !existsSync(join(root, f)))).toEqual([]);
  });
  it('are all in the order of imports', () => {
    expect([...modules.keys()].filter(f => rank(folderOf(f)) < 0)).toEqual([]);
  });
  it('import only from folders before them', () => {
    const wrong = all.flatMap(m =>
      edges(m)
        .filter(to => rank(folderOf(to)) > rank(folderOf(m.file)))
        .map(to => `${m.file} > ${to}`),
    );
    expect(wrong).toEqual([]);
  });
  it('import only files that are there', () => {
    expect(
      all.flatMap(m =>
        edges(m)
          .filter(to => !existsSync(join(root, to)))
          .map(to => `${m.file} > ${to}`),
      ),
    ).toEqual([]);
  });
  it('have no cycle of imports', () => {
    expect(cycle()).toEqual([]);
  });
  it('reach Node modules only where files and processes are', () => {
    const wrong = all.filter(m => !NODE.includes(folderOf(m.file)) && m.imports.some(i => i.specifier.startsWith('node:')));
    expect(wrong.map(m => m.file)).toEqual([]);
  });
  it('touch binaryen in one place only', () => {
    const wrong = all.filter(m => !m.file.startsWith('compiler/backend/wasm') && m.imports.some(i => i.specifier === 'binaryen'));
    expect(wrong.map(m => m.file)).toEqual([]);
  });
  it('import each module in one line', () => {
    const wrong = all.flatMap(m => {
      const from = m.imports
        .filter(i => !i.again && !i.names.includes('*'))
        .map(i => `${i.specifier}${i.onlyTypes ? ' (types)' : ''}`);
      return from.filter((s, n) => from.indexOf(s) < n).map(s => `${m.file}: ${s}`);
    });
    expect(wrong).toEqual([]);
  });
});
