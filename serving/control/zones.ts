/**
 * Zones: what fails together. Each is a process, and instances are spread over those that live; kill it, and its instances are killed, as
 * if a data centre were gone, until it comes back.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { program } from '../core/process.ts';

export interface Zone {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
}
export interface Zones {
  all(): readonly Zone[];
  close(): void;
}
const BACK_AFTER_MS = 1000;

/** Starts so many zones; `lost` is told when one goes down, `back` when it runs again. */
export function startZones(count: number, on: { lost(zone: string): void; back(zone: string): void }): Zones {
  const children = new Map<string, ChildProcess | undefined>();
  let closed = false;
  const start = (name: string): void => {
    if (closed) return;
    const child = spawn(process.execPath, [program('./zone', import.meta.url)], { stdio: ['pipe', 'ignore', 'ignore'] });
    children.set(name, child);
    const down = (): void => {
      if (children.get(name) !== child || closed) return;
      children.set(name, undefined);
      on.lost(name);
      setTimeout(() => {
        start(name);
        if (!closed) on.back(name);
      }, BACK_AFTER_MS).unref();
    };
    child.once('exit', down);
    child.once('error', down);
    child.stdin.on('error', () => undefined);
    child.unref();
  };
  for (let i = 0; i < count; i++) start(`zone-${String.fromCharCode(97 + i)}`);
  return {
    all: () => [...children].map(([name, child]) => ({ name, pid: child?.pid })),
    close: () => {
      closed = true;
      for (const child of children.values()) child?.kill('SIGKILL');
    },
  };
}
