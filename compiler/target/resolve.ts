import { fields, flag, isObject, listOf, oneOf, whole, type Check } from '../core/check.ts';
import { fail, must } from '../core/diagnostic.ts';
import { didYouMean } from '../core/suggest.ts';
import type { BackEnd } from '../backend/backend.ts';
import { BACK_ENDS } from '../backend/index.ts';
import type { Profile, ProfileData } from './profile.ts';
import { TARGETS } from './profiles.data.ts';

/** What `--target` names: one profile, or several whose modules share a bundle, best first. */
export interface Target {
  readonly name: string;
  readonly doc: string;
  readonly profiles: readonly Profile[];
  /** The back end of all of them. */
  readonly backEnd: BackEnd;
}
type Json = Readonly<Record<string, unknown>>;

/** Names of the targets that ship with the compiler. */
export const targetNames = (): string[] => Object.keys(TARGETS);

/**
 * A target by name, or from the contents of a user's own profile (the fields of targets/*.json; what is absent comes from `extends`).
 * `more`: back ends besides those of the compiler, which it may name in `emit`. Throws E401, which says what is wrong and what was probably
 * meant.
 */
export function resolveTarget(target: string | object, more: readonly BackEnd[] = []): Target {
  return resolve(target, [], [...more, ...BACK_ENDS]);
}
/** The target with another number of threads: for the profiles that have several, or, where none has, for all. */
export function withThreads(target: Target, threads: number): Target {
  whole(1, 64)(threads, why => fail('E401', { target: target.name, why: `'threads' ${why}` }));
  const several = target.profiles.some(p => p.threads > 1);
  const profiles = target.profiles.map(p =>
    several && p.threads === 1 ? p : checked(target.name, { ...p, threads }, target.backEnd),
  );
  return { ...target, profiles };
}
/** A target from the text of a JSON file; `file` is for messages. */
export function parseTarget(text: string, file: string): Target {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (e) {
    return fail('E401', { target: file, why: `is not JSON: ${e instanceof Error ? e.message : String(e)}` });
  }
  return isObject(json) ? resolveTarget(json) : fail('E401', { target: file, why: 'must hold one JSON object' });
}

function resolve(target: string | object, seen: readonly string[], backEnds: readonly BackEnd[]): Target {
  if (typeof target !== 'string') {
    const json: unknown = target;
    return isObject(json) ? fromJson(json, seen, backEnds) : fail('E401', { target: 'profile', why: 'must be an object' });
  }
  const json = lookup(target);
  if (!json) return fail('E401', { target, why: `is none of ${targetNames().join(', ')}${didYouMean(target, targetNames())}` });
  return fromJson(json, seen, backEnds);
}
const lookup = (name: string): Json | undefined => (Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined);

const LIST_FIELDS = ['name', 'doc', 'modules'];
function fromJson(json: Json, seen: readonly string[], backEnds: readonly BackEnd[]): Target {
  const name = nameOf(json, seen);
  const bad = (why: string): never => fail('E401', { target: name, why });
  if ('modules' in json) {
    for (const k of Object.keys(json)) if (!LIST_FIELDS.includes(k)) bad(`a list of modules has no field '${k}'`);
    const modules = Array.isArray(json['modules']) ? (json['modules'] as readonly unknown[]) : bad("'modules' must be an array");
    if (modules.length === 0) bad("'modules' is empty");
    const targets = modules.map(m =>
      typeof m === 'string' || isObject(m) ? resolve(m, [...seen, name], backEnds) : bad("'modules' holds names and profiles"),
    );
    const profiles = targets.flatMap(t => t.profiles);
    const { backEnd } = must(targets[0]);
    const names = profiles.map(p => p.name);
    names.forEach((n, i) => names.indexOf(n) === i || bad(`'modules' lists ${n} twice`));
    const [first] = profiles;
    if (targets.some(t => t.backEnd !== backEnd) || profiles.some(p => p.toolchain.system !== first?.toolchain.system))
      bad("'modules' holds profiles for different systems");
    if (profiles.some(p => p.toolchain.cc !== first?.toolchain.cc)) bad("'modules' holds profiles for different compilers");
    return { name, doc: textOf(json, 'doc', '', bad), profiles, backEnd };
  }
  const data = profileOf(json, seen, backEnds);
  const backEnd = must(backEnds.find(b => b.name === data.emit));
  return { name, doc: textOf(json, 'doc', '', bad), profiles: [checked(name, data, backEnd)], backEnd };
}
function nameOf(json: Json, seen: readonly string[]): string {
  const name = json['name'];
  if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]{0,63}$/.test(name))
    return fail('E401', {
      target: typeof name === 'string' ? name : 'profile',
      why: "'name' must be letters, digits, '-', '_' and '.'",
    });
  if (seen.includes(name)) return fail('E401', { target: name, why: `extends itself: ${[...seen, name].join(' → ')}` });
  return name;
}
function textOf(json: Json, key: string, dflt: string, bad: (why: string) => never): string {
  const v = json[key] ?? dflt;
  return typeof v === 'string' ? v : bad(`'${key}' must be text`);
}

// ---- one profile: every field is read by a checker, so that a typing error is told at once

const text: Check<string> = (v, bad) => (typeof v === 'string' ? v : bad('must be text'));
const word: Check<string> = (v, bad) => (typeof v === 'string' && /^[\w.-]+$/.test(v) ? v : bad('must be words'));
const powerOfTwo =
  (lo: number, hi: number): Check<number> =>
  (v, bad) => {
    const n = whole(lo, hi)(v, bad);
    return (n & (n - 1)) === 0 ? n : bad('must be a power of two');
  };
const MISSING = 'is missing; give it, or extend another profile';
const profileWith = (backEnds: readonly BackEnd[]): Check<ProfileData> =>
  fields(
    {
      name: text,
      doc: text,
      emit: oneOf(...backEnds.map(b => b.name)),
      vector: fields(
        {
          bits: oneOf(0, 128, 256, 512),
          fma: oneOf('none', 'relaxed', 'fused'),
          intDot: oneOf('none', 'i16', 'i8u8', 'i8i8'),
          permute: flag,
          mma: flag,
        },
        MISSING,
      ),
      threads: whole(1, 64),
      indices: oneOf('checked', 'clamped'),
      registers: whole(1, 64),
      features: listOf(oneOf('bulk-memory', 'sign-ext', 'sat-float-to-int')),
      memory: fields(
        {
          align: powerOfTwo(16, 4096),
          embedBelow: whole(0, 2 ** 32),
          scarce: flag,
          arenaLimit: whole(65536, 2 ** 32),
        },
        MISSING,
      ),
      toolchain: fields(
        {
          cc: text,
          flags: listOf(text),
          cpu: listOf(word),
          system: oneOf('unix', 'macos', 'windows', 'emnapi', 'bare'),
        },
        MISSING,
      ),
      cache: fields({ l1: whole(1024, 2 ** 30), l2: whole(1024, 2 ** 32), prefetch: flag }, MISSING),
    },
    MISSING,
  );

function profileOf(json: Json, seen: readonly string[], backEnds: readonly BackEnd[]): ProfileData {
  const name = nameOf(json, seen);
  // The way to a field comes in quotes.
  const bad = (why: string): never => fail('E401', { target: name, why: why.replace(/^\.(\S+)/, "'$1'") });
  return profileWith(backEnds)({ doc: '', threads: 1, indices: 'checked', ...inherit(json, [...seen, name]) }, bad);
}
/** The profile, if its fields fit each other and its back end. */
function checked(name: string, profile: ProfileData, backEnd: BackEnd): Profile {
  const bad = (why: string): never => fail('E401', { target: name, why });
  backEnd.check(profile, bad);
  const { bits, fma, intDot, permute, mma } = profile.vector;
  if (bits === 0 && (fma !== 'none' || intDot !== 'none' || permute))
    bad("'vector.fma', 'vector.intDot' and 'vector.permute' need 'vector.bits'");
  if (mma && (bits < 256 || intDot !== 'i8u8'))
    bad("'vector.mma' needs 'vector.bits' of 256 at least and 'vector.intDot' of i8u8");
  return { ...profile, backEnd };
}
/** The fields with those of the extended profile behind them; objects are merged, arrays replaced. */
function inherit(json: Json, seen: readonly string[]): Json {
  const { extends: parent, ...own } = json;
  if (parent === undefined) return own;
  const bad = (why: string): never => fail('E401', { target: seen.at(-1) ?? '', why });
  if (typeof parent !== 'string') return bad("'extends' must be the name of a target");
  const base = lookup(parent);
  if (!base) return bad(`extends '${parent}', which is not known${didYouMean(parent, targetNames())}`);
  if ('modules' in base) return bad(`extends '${parent}', which is a list of modules`);
  nameOf(base, seen);
  return merge(inherit(base, [...seen, parent]), own);
}
function merge(base: Json, over: Json): Json {
  const out: Record<string, unknown> = { ...base };
  for (const [k, v] of Object.entries(over)) {
    const had = out[k];
    out[k] = isObject(v) && isObject(had) ? merge(had, v) : v;
  }
  return out;
}
