/** Makes attempts for mutants.ts: each number that comes is one, and is answered. Each tenth that is imported is compiled. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/index.ts';
import { attempt, mutant } from './attempt.ts';
import { allSeeds } from './seeds.ts';

const [dir = '.'] = process.argv.slice(2);
const seeds = allSeeds();
process.on('message', n => {
  const k = Number(n);
  const seed = must(seeds[k % seeds.length])();
  // Here when the process is stopped.
  writeFileSync(join(dir, `tensorflow-${process.pid}`), mutant(seed, k));
  void attempt(seed, k, k % 10 === 0).then(a => process.send?.({ k, ...a }));
});
// What the first compilation loads is not a mutant's.
const first = must(seeds[0])();
await compile({ model: first.bytes, file: 'first', external: first.beside });
process.send?.({ ready: true });
