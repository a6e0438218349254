import { join } from 'node:path';
import { temporaryFolder, writeFile } from '../files.ts';
import { inputsOf } from '../suite-inputs.ts';
import type { Suite, SuiteModel, SuiteTarget } from '../suite.ts';
import { must } from '../../core/diagnostic.ts';
import { several, type BenchCase } from './case.ts';
import type { PeerName } from './result.ts';

/** The cases of a suite whose files are here: models that are on several targets are several cases. */
export function suiteCases(suite: Suite, filter: string, against: readonly PeerName[] | undefined): BenchCase[] {
  const work = temporaryFolder();
  const models = suite.models.filter(m => m.here && m.name.includes(filter));
  return models.flatMap(m => m.targets.map(t => suiteCase(m, t, against ?? m.against, work)));
}
export function suiteCase(m: SuiteModel, t: SuiteTarget, against: readonly PeerName[], work: string): BenchCase {
  return {
    name: m.name,
    doc: m.doc,
    group: m.group,
    source: { k: 'model', path: m.path, target: targetFlag(t, work), options: m.args },
    against,
    runs: (manifest, original) =>
      m.runs
        .filter(r => r.only !== 'accuracy')
        .map(r => {
          const one = (i: number): ReturnType<typeof inputsOf> =>
            inputsOf(m, r, manifest, must(original, 'the model'), 1 + 100 * i);
          return { label: r.label, feeds: r.inputs === undefined ? several(one) : [one(0)] };
        }),
  };
}
/** A target as an argument of `sinter compile`: a profile becomes a file. */
function targetFlag(t: SuiteTarget, work: string): string {
  if (typeof t.option === 'string') return t.option;
  const file = join(work, `${t.name}.json`);
  writeFile(file, JSON.stringify(t.option));
  return file;
}
