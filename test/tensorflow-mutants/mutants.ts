// Models of TensorFlow's family with something changed, in processes that are watched: `npm run fuzz -- tensorflow [COUNT] [FROM] [PROCESSES]`.
// None may end with a bug, take 20 s or a gigabyte. Where the frameworks' own cases are here, they are changed too. Files are in out/fuzz.
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectDir } from '../../fixtures/paths.ts';
import { tallied, watched } from '../watched.ts';

const [count = 1000, from = 0, processes = availableParallelism()] = process.argv.slice(2).map(Number);
const dir = join(projectDir, 'out', 'fuzz');
mkdirSync(dir, { recursive: true });
const tally = tallied('mutant');
const module = 'test/tensorflow-mutants/child.ts';
await watched({ module, args: [dir], from, count, processes, seconds: 20, bytes: 1e9 }, tally.report);
const faults = tally.summary();
console.log(`${faults} faults in ${count} mutants, from ${from}`);
process.exitCode = faults > 0 ? 1 : 0;
