/** 0: done. 1: the model or its data is at fault. 2: wrong usage. 3: the outputs differ. 70: a bug of the compiler. */
export type ExitCode = 0 | 1 | 2 | 3 | 70;

/** Where a command writes. Results go to `out`, everything else to `err`. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `err` is a terminal, on which a line can be written over. */
  readonly live: boolean;
}
/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
