import { CompileError } from '../../compiler/core/diagnostic.ts';
import type { Way } from './runners.ts';

/** How a case ends. `refused`: an E-code. `wrong`: other numbers. `broken`: a bug of ours, or it never ended. `skipped`: the data is not tensors. */
export interface End {
  readonly k: 'passed' | 'refused' | 'wrong' | 'broken' | 'skipped';
  readonly code?: string;
  readonly why?: string;
}
export interface Outcome extends End {
  readonly suite: string;
  readonly name: string;
  readonly way: Way;
  readonly ms: number;
}
/** Runs a case; what it throws is an end too. */
export async function judged(of: Pick<Outcome, 'suite' | 'name' | 'way'>, run: () => Promise<End>): Promise<Outcome> {
  const start = performance.now();
  const end = await run().catch((e: unknown): End => {
    if (e instanceof CompileError) return { k: 'refused', why: e.bare, code: e.code };
    return { k: 'broken', why: e instanceof Error ? (e.stack ?? e.message) : String(e) };
  });
  return { ...of, ...end, ms: performance.now() - start };
}
