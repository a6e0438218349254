import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { randomTensor } from '../../compiler/core/random.ts';
import { compile } from '../../compiler/index.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { level, needs, x64 } from '../needs.ts';
import { buildBundle } from './build.ts';
import { keywordNetwork } from './keywords.ts';

/** The library for all processors of x86-64 gives, on each, the bits of the library for it alone: QEMU plays the older ones. */
const MODELS = [
  { name: 'a keyword network', model: keywordNetwork(), inputs: new Map([['features', randomTensor('f32', [1, 1, 49, 10], 7)]]) },
  {
    name: '150 trees',
    model: readFileSync(join(projectDir, 'fixtures/bike/model.json')),
    inputs: new Map([['features', randomTensor('f32', [300, 13], 7, 0, 40)]]),
  },
];
const UNDER = {
  'linux-x64-v2': ['qemu-x86_64-static', '-cpu', 'Nehalem'],
  'linux-x64-v3': ['qemu-x86_64-static', '-cpu', 'Haswell'],
  // QEMU has no AVX-512.
  'linux-x64-v4': [],
} as const;
/** What each level gives, which is what its own library gives. */
async function picked({ model, inputs }: (typeof MODELS)[number], levels: readonly (keyof typeof UNDER)[]): Promise<string[]> {
  const { files, report } = await compile({ model, target: 'linux-x64', verifyIr: true });
  expect(report.modules.map(m => m.profile)).toEqual(['linux-x64-v4', 'linux-x64-v3', 'linux-x64-v2']);
  const built = buildBundle(files, { flags: ['-O1'] });
  const out: string[] = [];
  for (const target of levels) {
    const got = bits(built.run(inputs, UNDER[target]));
    const alone = buildBundle((await compile({ model, target })).files, { flags: ['-O1'] });
    expect([target, got]).toEqual([target, bits(alone.run(inputs))]);
    out.push(got);
  }
  return out;
}

needs('cc', 'make', 'qemu-x86_64-static', x64, level('linux-x64-v3')).describe('linux-x64', () => {
  it.each(MODELS)(
    'picks the code for the processor: $name',
    async m => {
      const [v2, v3] = await picked(m, ['linux-x64-v2', 'linux-x64-v3']);
      // The network shows which code ran: only some of it rounds a product and a sum at once.
      if (m === MODELS[0]) expect(v2).not.toBe(v3);
    },
    180_000,
  );
  for (const m of MODELS)
    needs(level('linux-x64-v4')).it(
      `picks the code for AVX-512: ${m.name}`,
      async () => {
        await picked(m, ['linux-x64-v4']);
      },
      180_000,
    );
});
const bits = (all: ReadonlyMap<string, { readonly bytes: Uint8Array }>): string =>
  [...all].map(([k, t]) => `${k} ${Buffer.from(t.bytes).toString('hex')}`).join('\n');
