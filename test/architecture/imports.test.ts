import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../compiler');
/** A folder may import from itself and from those before it. Types may be imported from anywhere: they vanish. */
const ORDER = ['core', 'kernel', 'graph', 'ops', 'passes', 'import', 'program', 'lower', 'emit', '.', 'cli'];
const rank = (folder: string): number => ORDER.indexOf(folder);

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(f => f.endsWith('.ts'));
const folderOf = (f: string): string => (f.includes('/') ? (f.split('/')[0] ?? '') : '.');
interface Edge {
  readonly from: string;
  readonly to: string;
}
function edges(file: string): Edge[] {
  const text = readFileSync(join(root, file), 'utf8');
  const out: Edge[] = [];
  for (const m of text.matchAll(/^(?:import|export)(?! type)[^;]*?from '(\.[^']+)';/gms)) {
    const names = /\{([^}]*)\}/.exec(m[0])?.[1];
    const onlyTypes = names !== undefined && names.split(',').every(n => n.trim() === '' || n.trim().startsWith('type '));
    if (!onlyTypes) out.push({ from: file, to: relative(root, resolve(dirname(join(root, file)), m[1] ?? '')) });
  }
  return out;
}

describe('folders', () => {
  it('are all in the order of imports', () => {
    expect(files.map(folderOf).filter(f => rank(f) < 0)).toEqual([]);
  });
  it('import only from folders before them', () => {
    const wrong = files.flatMap(edges).filter(e => rank(folderOf(e.to)) > rank(folderOf(e.from)));
    expect(wrong).toEqual([]);
  });
  it('reach Node modules only in cli', () => {
    const wrong = files.filter(f => folderOf(f) !== 'cli' && /from 'node:/.test(readFileSync(join(root, f), 'utf8')));
    expect(wrong).toEqual([]);
  });
  it('touch binaryen in one place only', () => {
    const wrong = files.filter(f => !f.startsWith('emit/wasm') && /['"]binaryen['"]/.test(readFileSync(join(root, f), 'utf8')));
    expect(wrong).toEqual([]);
  });
});
