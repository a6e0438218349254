// Models with something changed, compiled in processes that are watched: `npm run fuzz -- mutants [COUNT] [SEED] [FROM] [PROCESSES]`. None may end
// with a bug, take 20 s or a gigabyte; where onnxruntime runs the changed model too, the answers must agree. What goes wrong is written to out/fuzz.
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectDir } from '../../fixtures/paths.ts';
import { tallied, watched } from '../watched.ts';

const [count = 1000, seed = 1, from = 0, processes = availableParallelism()] = process.argv.slice(2).map(Number);
const dir = join(projectDir, 'out', 'fuzz');
mkdirSync(dir, { recursive: true });
const tally = tallied(`seed ${seed}, mutant`);
const module = 'test/onnx-graphs/mutants-child.ts';
const most = { seconds: 20, bytes: 1e9, processes };
await watched({ module, args: [String(seed), dir], from, count, ...most }, tally.report);
const faults = tally.summary();
console.log(`${faults} faults in ${count} mutants of seed ${seed}, from ${from}`);
process.exitCode = faults > 0 ? 1 : 0;
