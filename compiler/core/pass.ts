import type { Tuned } from '../ops/tuning.ts';
import type { Profile } from '../target/profile.ts';

/** What a pass may ask for beside the code. */
export interface PassContext {
  readonly profile: Profile;
  readonly tuned?: Tuned;
}
/** A step of the compiler from an IR to the same IR: `GraphPass`, `KernelPass`, `ProgramPass`. Deterministic and semantics-preserving. */
export interface Pass<IR> {
  readonly name: string;
  readonly doc: string;
  /** The same object where there was nothing to do. */
  run(ir: IR, ctx: PassContext): IR;
}
/** Is told of each pass when it has run: its result, and the milliseconds that it took. */
export type PassObserver<IR> = (pass: Pass<IR>, result: IR, ms: number) => void;

/** Runs passes one after the other. */
export function applyPasses<IR>(ir: IR, passes: readonly Pass<IR>[], ctx: PassContext, observe?: PassObserver<IR>): IR {
  return passes.reduce((before, pass) => {
    const start = performance.now();
    const after = pass.run(before, ctx);
    observe?.(pass, after, performance.now() - start);
    return after;
  }, ir);
}
