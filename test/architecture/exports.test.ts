import { describe, expect, it } from '@jest/globals';
import { filesIn, readModule, textOf } from './modules.ts';

/** Types that no module imports, but that declaration files of others have to name. */
const NAMED = ['compiler/ops/define.ts AttrSpec'];
const modules = filesIn('compiler', 'bench', 'fixtures', 'runtimes', 'test').map(readModule);

describe('exports', () => {
  it('of the compiler and of benchmarks are imported somewhere', () => {
    const used = new Map<string, Set<string>>();
    for (const m of modules)
      for (const i of m.imports) {
        if (i.to === undefined) continue;
        const names = used.get(i.to) ?? new Set<string>();
        used.set(i.to, names);
        for (const n of i.names) names.add(n);
      }
    const dead = modules
      .filter(m => /^(?:compiler|bench)\//.test(m.file))
      .flatMap(m => {
        const names = used.get(m.file);
        return m.exports.filter(n => names?.has(n) !== true && names?.has('*') !== true).map(n => `${m.file} ${n}`);
      });
    expect(dead.filter(d => !NAMED.includes(d))).toEqual([]);
  });
});

describe('the package', () => {
  it('does not run the install script of onnxruntime-node, which fetches CUDA libraries', () => {
    const read = (file: string): Record<string, Record<string, unknown>> =>
      JSON.parse(textOf(file)) as Record<string, Record<string, unknown>>;
    // npm 11.19 and newer ask package.json, older ones whether the lock file says that there is a script.
    expect(read('package.json')['allowScripts']).toMatchObject({ 'onnxruntime-node': false });
    expect(read('package-lock.json')['packages']?.['node_modules/onnxruntime-node']).not.toHaveProperty('hasInstallScript');
  });
});
