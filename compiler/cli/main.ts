#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { quoteTerminal } from '../core/quote.ts';
import { endAll, onChange, type Change, type Unfinished } from '../host/ending.ts';
import { isServing, runServing } from './serving.ts';
import { UsageError, type ExitCode } from './terminal.ts';

/**
 * The program: its work is done in a thread of its own, because a signal is only heard by a thread that does not compute. The first thread
 * writes what the other says, and knows what that one has begun; so a signal ends both at once, and nothing half-written is left.
 */
type Message =
  | { readonly k: 'out' | 'err'; readonly text: string }
  | { readonly k: 'change'; readonly change: Change }
  | { readonly k: 'end'; readonly code: ExitCode };
/** What the first thread tells the other. */
interface Start {
  readonly sinter: { readonly live: boolean };
}
/** The working thread is waited for so long, in milliseconds; a compiler that it waits for itself holds it up. */
const PATIENCE = 500;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15, ...(process.platform === 'win32' && { SIGBREAK: 21 }) } as const;

/** What the first thread does with what is said: nothing that the other has begun is forgotten. */
function listener(): { readonly open: ReadonlyMap<number, Unfinished>; readonly hear: (m: Message) => void } {
  const open = new Map<number, Unfinished>();
  return {
    open,
    hear: m => {
      switch (m.k) {
        case 'out':
          process.stdout.write(shown(m.text));
          return;
        case 'err':
          process.stderr.write(shown(m.text));
          return;
        case 'change':
          if (m.change.what) open.set(m.change.key, m.change.what);
          else open.delete(m.change.key);
          return;
        case 'end':
          process.exitCode = m.code;
          return;
      }
    },
  };
}
function supervise(): void {
  const { open, hear } = listener();
  const worker = new Worker(new URL(import.meta.url), {
    argv: process.argv.slice(2),
    workerData: { sinter: { live: isLive() } } satisfies Start,
    // As much memory as this thread may have.
    resourceLimits: { maxOldGenerationSizeMb: Math.floor(getHeapStatistics().heap_size_limit / 2 ** 20) },
  });
  worker.on('message', hear);
  worker.on('error', (e: NodeJS.ErrnoException) => {
    const memory = e.code === 'ERR_WORKER_OUT_OF_MEMORY';
    process.stderr.write(memory ? 'error: this model needs more memory than there is\n' : `${e.stack ?? e.message}\n`);
    process.exitCode = memory ? 1 : 70;
    endAll(open.values());
  });
  /** Stops the other thread and ends what it has begun; gives whether it has stopped. */
  const stop = async (): Promise<boolean> => {
    const late = new Promise<boolean>(done => setTimeout(() => done(false), PATIENCE));
    const stopped = await Promise.race([worker.terminate().then(() => true), late]);
    endAll(open.values());
    return stopped;
  };
  for (const [signal, n] of Object.entries(SIGNALS))
    process.once(signal, () => {
      void stop().then(stopped => {
        if (stopped) process.exit(128 + n);
        // By the signal itself: `exit` would wait for the other thread.
        process.kill(process.pid, signal);
      });
    });
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (e: NodeJS.ErrnoException) => {
    void stop().then(() => process.exit(e.code === 'EPIPE' ? 0 : 1));
  });
}
/** How a line that is written over begins; of the rest nothing moves the cursor. */
const AGAIN = '\r\x1b[K';
const shown = (text: string): string =>
  text.startsWith(AGAIN) ? AGAIN + quoteTerminal(text.slice(AGAIN.length)) : quoteTerminal(text);
const isLive = (): boolean => process.stderr.isTTY && process.env['TERM'] !== 'dumb';
async function work(say: (m: Message) => void, { sinter: { live } }: Start): Promise<void> {
  onChange(change => say({ k: 'change', change }));
  const { runCommand } = await import('./command.ts');
  const code = await runCommand(process.argv.slice(2), {
    out: text => say({ k: 'out', text }),
    err: text => say({ k: 'err', text }),
    live,
  });
  say({ k: 'end', code });
}
/** Commands that serve hear signals by themselves and compute in processes of their own: they run in this thread. */
async function serve(argv: readonly string[]): Promise<void> {
  const { hear } = listener();
  const say = (k: 'out' | 'err') => (text: string) => hear({ k, text });
  try {
    process.exitCode = await runServing(argv, { out: say('out'), err: say('err'), live: isLive() });
  } catch (e) {
    const usage = e instanceof UsageError;
    hear({ k: 'err', text: usage ? `error: ${e.message}\n` : `${e instanceof Error ? (e.stack ?? e.message) : String(e)}\n` });
    process.exitCode = usage ? 2 : 70;
  }
}

/** Whether this module is what Node was started with, also by way of the link that npm puts into bin/. */
function isMain(): boolean {
  const [, script] = process.argv;
  try {
    return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}
const isStart = (x: unknown): x is Start => typeof x === 'object' && x !== null && 'sinter' in x;
if (parentPort && isStart(workerData)) {
  const port = parentPort;
  await work(m => port.postMessage(m), workerData);
} else if (isMainThread && isMain()) {
  const argv = process.argv.slice(2);
  if (isServing(argv)) await serve(argv);
  // A loader that translates TypeScript is not there in other threads.
  else if (import.meta.url.endsWith('.ts')) await work(listener().hear, { sinter: { live: isLive() } });
  else supervise();
}
