import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { compile } from '../../compiler/index.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { buildBundle, has, runsHere } from './build.ts';
import { keywordNetwork } from './keywords.ts';

/** The library for all processors of x86-64 gives, on each, the bits of the library for it alone: QEMU plays the older ones. */
const ready = has('cc') && has('make') && has('qemu-x86_64-static') && process.arch === 'x64';
const MODELS = [
  { name: 'a keyword network', model: keywordNetwork(), inputs: new Map([['features', randomTensor('f32', [1, 1, 49, 10], 7)]]) },
  {
    name: '150 trees',
    model: readFileSync(join(projectDir, 'fixtures/bike/model.json')),
    inputs: new Map([['features', randomTensor('f32', [300, 13], 7, 0, 40)]]),
  },
];
const LEVELS = [
  ['linux-x64-v2', ['qemu-x86_64-static', '-cpu', 'Nehalem']],
  ['linux-x64-v3', ['qemu-x86_64-static', '-cpu', 'Haswell']],
  ['linux-x64-v4', []],
] as const;

(ready ? describe : describe.skip)(`linux-x64${ready ? '' : ' (needs cc, make and qemu-x86_64-static on x86-64)'}`, () => {
  it.each(MODELS)(
    'picks the code for the processor: $name',
    async ({ model, inputs }) => {
      const { files, report } = await compile({ model, target: 'linux-x64', verifyIr: true });
      expect(report.modules.map(m => m.profile)).toEqual(['linux-x64-v4', 'linux-x64-v3', 'linux-x64-v2']);
      const one = async (target: string): Promise<string> =>
        bits(buildBundle((await compile({ model, target })).files, { flags: ['-O1'] }).run(inputs));
      const built = buildBundle(files, { flags: ['-O1'] });
      const seen = new Set<string>();
      for (const [level, under] of LEVELS) {
        if (!runsHere(level)) continue;
        const got = bits(built.run(inputs, under));
        expect([level, got]).toEqual([level, await one(level)]);
        seen.add(got);
      }
      // The network shows which code ran: only some of it rounds a product and a sum at once.
      if (model === must(MODELS[0]).model) expect(seen.size).toBeGreaterThan(1);
    },
    180_000,
  );
});
const bits = (all: ReadonlyMap<string, { readonly bytes: Uint8Array }>): string =>
  [...all].map(([k, t]) => `${k} ${Buffer.from(t.bytes).toString('hex')}`).join('\n');
