/** What a client is told: an HTTP status and a sentence. Whatever else is thrown is a fault of ours, and its text stays in the log. */
export class ServeError extends Error {
  readonly status: number;
  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ServeError';
    this.status = status;
  }
}
/** The process of an instance ended before it answered. */
export class InstanceLost extends Error {
  /** What ended it, where that was a signal. */
  readonly signal: string | undefined;
  /** Whether it may have begun with the call. */
  readonly sent: boolean;
  constructor(id: string, why: string, signal?: string, sent = true) {
    super(`instance ${id} ${why}`);
    this.sent = sent;
    this.signal = signal;
    this.name = 'InstanceLost';
  }
}
export const messageOf = (e: unknown): string => (e instanceof Error ? e.message : String(e));
