import { bundled } from '../bundled.ts';

const MAIN = `
import { run } from './serving/cli/index.ts';
const t = { out: s => process.stdout.write(s), err: s => process.stderr.write(s) };
process.exit(await run(process.argv.slice(2), t));`;
/** The commands of serving as a program. */
export const servingProgram = (): Promise<string> => bundled('serving/main.ts', MAIN);
