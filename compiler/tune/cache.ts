/** What was found best, as a text file that can be committed. */
import { fields, oneOf, optional, recordOf, listOf, text, type Check } from '../core/check.ts';
import { fail } from '../core/diagnostic.ts';
import { ASPECTS, type StepChoices } from '../ops/tuning.ts';

/** What runs code: times of another processor, or of another engine or compiler, may choose otherwise. */
export interface Machine {
  readonly processor: string;
  readonly engine: string;
}
export type Steps = Readonly<Record<string, StepChoices>>;
/** What was found best on one machine for one profile. */
interface Found extends Machine {
  readonly profile: string;
  readonly steps: Steps;
}
/**
 * The contents of the file. The version counts what choices mean: with another one the same names may stand for other code.
 */
export interface TuneCache {
  readonly tuning: 1;
  readonly found: readonly Found[];
}
export const NOTHING: TuneCache = { tuning: 1, found: [] };

const STEP: Check<StepChoices> = fields({
  algorithm: optional(text),
  blocks: optional(text),
  order: optional(text),
  tiles: optional(text),
} satisfies Record<(typeof ASPECTS)[number], unknown>);
const CACHE: Check<TuneCache> = fields({
  tuning: oneOf(1),
  found: listOf(fields({ processor: text, engine: text, profile: text, steps: recordOf(STEP) })),
});
/** Reads a file. E209 where it is no JSON, of another version, or has fields that are unknown, missing or of another kind. */
export function readCache(json: string, file: string): TuneCache {
  const bad = (why: string): never => fail('E209', { file, why: `${why}; remove the file, and make it again with --tune` });
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (e) {
    return bad(e instanceof Error ? e.message : String(e));
  }
  return CACHE(parsed, why => bad(/^[.[]/.test(why) ? why.replace(/^\./, '') : `it ${why}`));
}
const isOf = (f: Found, m: Machine, profile: string): boolean =>
  f.profile === profile && f.processor === m.processor && f.engine === m.engine;
export const stepsOf = (c: TuneCache, m: Machine, profile: string): Steps | undefined =>
  c.found.find(f => isOf(f, m, profile))?.steps;
/** With more steps of a machine; what was known of them before goes. */
export function withSteps(c: TuneCache, m: Machine, profile: string, steps: Steps): TuneCache {
  const mine: Found = {
    processor: m.processor,
    engine: m.engine,
    profile,
    steps: { ...stepsOf(c, m, profile), ...steps },
  };
  return { ...c, found: [...c.found.filter(f => !isOf(f, m, profile)), mine] };
}
/** The text of the file: in an order of its own, so that it changes where something else was found. */
export function writeCache(c: TuneCache): string {
  const key = (f: Found): string => JSON.stringify([f.processor, f.engine, f.profile]);
  const found = c.found
    .map(f => ({ ...f, steps: Object.fromEntries(Object.entries(f.steps).sort(([a], [b]) => (a < b ? -1 : 1))) }))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return `${JSON.stringify({ ...c, found }, null, 2)}\n`;
}

/**
 * The steps for a profile: of this machine, or of the one that `on`, a part of its processor's name, means. E209 where there are none of it.
 */
export function pickSteps(c: TuneCache, profile: string, here: Machine, on: string | undefined, file: string): Steps {
  const all = c.found.filter(f => f.profile === profile);
  const named = (f: Found): boolean => on !== undefined && f.processor.toLowerCase().includes(on.toLowerCase());
  const fit = on === undefined ? all.filter(f => isOf(f, here, profile)) : all.filter(named);
  const [only] = fit;
  if (only && fit.length === 1) return only.steps;
  const list = (fs: readonly Found[]): string => [...new Set(fs.map(f => `${f.processor} (${f.engine})`))].join(', ');
  const there = all.length === 0 ? `nothing for ${profile}` : `${profile} on ${list(fit.length > 0 ? fit : all)}`;
  const why =
    on === undefined
      ? `it has ${there}, and this is ${here.processor} (${here.engine}); measure here with --tune, or name a processor to compile for with --tuned-on`
      : `it has ${there}, and --tuned-on ${on} must mean one of them`;
  return fail('E209', { file, why });
}
