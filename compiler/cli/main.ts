#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';

/** Whether this module is what Node was started with, also by way of the link that npm puts into bin/. */
function isMain(): boolean {
  const [, script] = process.argv;
  try {
    return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}
if (isMain()) {
  // `exit` handlers remove what is half-written.
  for (const [signal, n] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const)
    process.once(signal, () => process.exit(128 + n));
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await runCommand(process.argv.slice(2), {
    out: text => process.stdout.write(text),
    err: text => process.stderr.write(text),
    live: process.stderr.isTTY && process.env['TERM'] !== 'dumb',
  });
}
