import { UsageError, type Terminal } from './terminal.ts';

/** Commands of the package sinter-serving, which is found where it is installed. They run long, and hear signals by themselves. */
export const SERVING: Readonly<Record<string, string>> = {
  serve: 'serve models over HTTP and gRPC',
  endpointd: "run a local control plane that speaks AWS's protocol of endpoints",
  export: 'write what other serving systems take',
  loadtest: 'find the highest rate of requests at a goal of latency',
  sign: 'sign bundles, so that servers which trust the key load them',
};
const PACKAGE: string = 'sinter-serving';
interface ServingCommands {
  run(argv: readonly string[], t: Terminal): Promise<number>;
}
const isCommands = (x: unknown): x is ServingCommands =>
  typeof x === 'object' && x !== null && 'run' in x && typeof x.run === 'function';

export const isServing = (argv: readonly string[]): boolean => argv[0] !== undefined && Object.hasOwn(SERVING, argv[0]);

/** Runs such a command and gives its exit code. A UsageError where the package is not installed. */
export async function runServing(argv: readonly string[], t: Terminal): Promise<number> {
  return (await find()).run(argv, t);
}
async function find(): Promise<ServingCommands> {
  let found: unknown;
  try {
    found = await import(`${PACKAGE}/cli`);
  } catch (e) {
    const code = e instanceof Error && 'code' in e ? e.code : undefined;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !String(e).includes(`'${PACKAGE}'`)) throw e;
    throw new UsageError(`this command is of the package ${PACKAGE}: npm install ${PACKAGE}`);
  }
  if (!isCommands(found)) throw new UsageError(`the installed ${PACKAGE} is not of this version of sinter`);
  return found;
}
