/** Where a command writes, as `sinter` gives it: results go to `out`, everything else to `err`. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}
/** What a command does: gives the code to exit with. It hears signals by itself. */
export type Command = (argv: readonly string[], t: Terminal) => Promise<number>;
/** The commands of this package, each loaded when it is asked for. A file has a function `run`. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ readonly run: Command }>>> = {
  endpointd: () => import('./endpointd.ts'),
  export: () => import('./export.ts'),
  loadtest: () => import('./loadtest.ts'),
  serve: () => import('./serve.ts'),
  sign: () => import('./sign.ts'),
};

/** Runs the command that the first argument names. */
export async function run(argv: readonly string[], t: Terminal): Promise<number> {
  const [name = '', ...rest] = argv;
  const command = COMMANDS[name];
  if (!command) {
    t.err(`error: sinter-serving has no command '${name}'\n`);
    return 2;
  }
  return (await command()).run(rest, t);
}
