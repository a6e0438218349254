import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { projectDir } from '../../fixtures/paths.ts';
import { allOps } from '../../compiler/ops/index.ts';

const names: ReadonlySet<string> = new Set(allOps.map(o => o.name));
/** Strings in the code that are names of operators. */
const named = (text: string): string[] =>
  [...text.replace(/\/\*[^]*?\*\/|\/\/.*/g, '').matchAll(/'([A-Za-z0-9]+)'/g)].map(m => m[1] ?? '').filter(s => names.has(s));

describe('what is known of an operator is in its literal', () => {
  it('finds names', () => {
    expect(named(`/** 'MatMul' */ if (n.op.name === 'Conv') // 'Add'\n`)).toEqual(['Conv']);
  });
  it.each(['passes', 'lower', 'graph'])('%s know no operator by its name', folder => {
    const root = join(projectDir, 'compiler', folder);
    const files = readdirSync(root).filter(f => f.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(3);
    for (const f of files) expect([f, ...named(readFileSync(join(root, f), 'utf8'))]).toEqual([f]);
  });
  it('has each name once', () => {
    expect(names.size).toBe(allOps.length);
  });
});
