import { runCommand } from '../../compiler/cli/command.ts';

/** What a command ended with, and what it said. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly live: boolean;
}
/** Runs something that speaks to a terminal. */
export async function captured(f: (t: Terminal) => Promise<number>): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await f({ out: t => void (out += t), err: t => void (err += t), live: false });
  return { code, out, err };
}
/** Runs the command line in this process. */
export const sinter = (...argv: string[]): Promise<Ran> => captured(t => runCommand(argv, t));
