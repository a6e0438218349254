/**
 * Native code against onnxruntime-node, one thread: `npm run bench -- native [--target linux-x64-v3]… [--filter TEXT] [--rounds N]
 * [--threads N] …`. The networks of the standard suite, as C.
 */
import { parseArgs } from 'node:util';
import { casesFor, FLAGS, networks, run } from './script.ts';

const { values } = parseArgs({ options: FLAGS });
const cases = casesFor(networks(), values.target ?? ['linux-x64-v3'], ['onnxruntime-node']);
await run('native', cases, values, { coldStarts: 0 });
