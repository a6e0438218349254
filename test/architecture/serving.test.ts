import { describe, expect, it } from '@jest/globals';
import { filesIn, readModule, textOf, type Import } from './modules.ts';

const own = filesIn('serving')
  .filter(f => !f.startsWith('serving/dist/'))
  .map(readModule);
interface Package {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const { dependencies, peerDependencies, devDependencies } = JSON.parse(textOf('serving/package.json')) as Package;
const shipped = { ...dependencies, ...peerDependencies };
/** The package of a specifier. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

describe('serving', () => {
  it('takes nothing from the compiler but its public API', () => {
    const wrong = own.flatMap(m =>
      m.imports.filter(i => i.to?.startsWith('serving/') === false).map(i => `${m.file} > ${i.specifier}`),
    );
    expect(wrong).toEqual([]);
  });
  it('is not imported by the compiler', () => {
    const wrong = filesIn('compiler', 'runtimes', 'bench')
      .map(readModule)
      .flatMap(m =>
        m.imports
          .filter(i => i.to?.startsWith('serving/') === true || packageOf(i.specifier) === 'sinter-serving')
          .map(() => m.file),
      )
      .filter(f => !f.startsWith('bench/serving/'));
    expect(wrong).toEqual([]);
  });
  it('imports only packages that its package.json names, types also of those for development', () => {
    const named = (i: Import): boolean =>
      shipped[packageOf(i.specifier)] !== undefined || (i.onlyTypes && devDependencies[packageOf(i.specifier)] !== undefined);
    const wrong = own.flatMap(m =>
      m.imports
        .filter(i => i.to === undefined && !i.specifier.startsWith('node:') && !named(i))
        .map(i => `${m.file} > ${i.specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});
