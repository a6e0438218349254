import { CompileError } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { openModel } from '../../compiler/import/index.ts';
import { compile } from '../../compiler/index.ts';
import type { Answer } from '../watched.ts';
import { mutate } from './mutate.ts';
import type { Seed } from './seeds.ts';

/** The changed model number k of a seed. */
export const mutant = (s: Seed, k: number): Uint8Array => mutate(randomStream(k * 7_919 + 1), s.kind, s.bytes);
/** Tells about a changed model and imports it, and perhaps compiles it: it may be refused with a code, and nothing else may go wrong. */
export async function attempt(s: Seed, k: number, whole: boolean): Promise<Omit<Answer, 'k'>> {
  const model = mutant(s, k);
  const source = { file: 'mutant', external: s.beside };
  try {
    const opened = openModel(model, source);
    opened.inspect();
    opened.import({});
    if (whole) await compile({ model, ...source });
    return { end: whole ? 'compiled' : 'imported', why: '', fault: false };
  } catch (e) {
    if (e instanceof CompileError) return { end: e.code, why: e.bare, fault: false };
    return { end: 'broken', why: `${s.name}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`, fault: true };
  }
}
