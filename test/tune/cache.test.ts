import { describe, expect, it } from '@jest/globals';
import { NOTHING, pickSteps, readCache, stepsOf, withSteps, writeCache, type TuneCache } from '../../compiler/tune/cache.ts';

const here = { processor: 'Fast 9000', engine: 'V8 12.4' };
const there = { processor: 'Slow 100', engine: 'V8 12.4' };
const STEP = 'MatMul(f32[8,8], const f32[8,8])';
const both = withSteps(withSteps(NOTHING, here, 'wasm-simd', { [STEP]: { blocks: '4x8' } }), there, 'wasm-simd', {
  [STEP]: { blocks: '2x8', order: 'rows' },
});

describe('a file of what was tuned', () => {
  it('is read as it was written, in an order of its own', () => {
    const text = writeCache(both);
    expect(readCache(text, 'f')).toEqual(both);
    expect(writeCache({ ...both, found: [...both.found].reverse() })).toBe(text);
  });
  it('keeps what is known of other machines and steps', () => {
    const more = withSteps(both, here, 'wasm-simd', { other: { tiles: '12' } });
    expect(stepsOf(more, here, 'wasm-simd')).toEqual({ [STEP]: { blocks: '4x8' }, other: { tiles: '12' } });
    expect(stepsOf(more, there, 'wasm-simd')).toEqual({ [STEP]: { blocks: '2x8', order: 'rows' } });
  });
  it.each([
    ['half a file', writeCache(both).slice(0, 40), /JSON/],
    ['another version', '{"tuning": 2, "found": []}', /tuning must be one of 1, not 2/],
    ['no version', '{"found": []}', /tuning is missing/],
    ['a list', '[]', /it must be an object/],
    ['an unknown field', '{"tuning": 1, "found": [], "more": 1}', /no field 'more'/],
    [
      'an unknown aspect',
      JSON.stringify({ tuning: 1, found: [{ ...here, profile: 'p', steps: { s: { block: '4x8' } } }] }),
      /found\[0\]\.steps\.s has no field 'block' \(did you mean 'blocks'\?\)|found\[0\]\.steps\.s has no field 'block'/,
    ],
    [
      'no text',
      JSON.stringify({ tuning: 1, found: [{ ...here, profile: 'p', steps: { s: { blocks: 4 } } }] }),
      /blocks must be text/,
    ],
  ])('that is damaged or foreign is refused: %s', (_, text, why) => {
    expect(() => readCache(text, 'f.json')).toThrow(/^E209: what was tuned in f\.json: .*make it again with --tune/);
    expect(() => readCache(text, 'f.json')).toThrow(why);
  });
});
describe('steps for a profile', () => {
  const pick = (c: TuneCache, profile: string, on?: string): unknown => pickSteps(c, profile, here, on, 'f');
  it('are those of this machine, or of the processor that is named', () => {
    expect(pick(both, 'wasm-simd')).toEqual({ [STEP]: { blocks: '4x8' } });
    expect(pick(both, 'wasm-simd', 'slow')).toEqual({ [STEP]: { blocks: '2x8', order: 'rows' } });
  });
  it('are refused where they are of another processor, engine or profile alone', () => {
    const other = withSteps(NOTHING, there, 'wasm-simd', {});
    expect(() => pick(other, 'wasm-simd')).toThrow(
      'E209: what was tuned in f: it has wasm-simd on Slow 100 (V8 12.4), and this is Fast 9000 (V8 12.4); measure here with --tune, or name a processor to compile for with --tuned-on',
    );
    expect(() => pick(withSteps(NOTHING, { ...here, engine: 'V8 11.3' }, 'wasm-simd', {}), 'wasm-simd')).toThrow(/V8 11\.3/);
    expect(() => pick(both, 'linux-x64-v3')).toThrow(/it has nothing for linux-x64-v3/);
    expect(() => pick(both, 'wasm-simd', 'none')).toThrow(/--tuned-on none must mean one of them/);
    // Both processors.
    expect(() => pick(both, 'wasm-simd', '0')).toThrow(/Fast 9000 .*, Slow 100/);
  });
});
