import { join } from 'node:path';
import { C } from '../../compiler/backend/c/index.ts';
import { readManifest } from '../../compiler/run/manifest.ts';
import { temporaryFolder, writeFile } from '../../compiler/host/files.ts';
import { openDriver } from '../peers/sinter-c.ts';
import type { Instrumented, ToInstrument } from './timer.ts';

/** A program as C with a clock between its steps, built as its bundle would be. E205 where that does not work here. */
export async function instrumentC({ steps, ...input }: ToInstrument): Promise<Instrumented> {
  const { program, profile } = input;
  const work = temporaryFolder();
  const files = await C.bundle([await C.emit(input)], {
    target: profile.name,
    source: { file: program.name, bytes: 0, sha256: '' },
    operators: { before: 0, after: 0 },
    macs: undefined,
    passes: [],
    options: {},
  });
  for (const [name, bytes] of files) writeFile(join(work, name), bytes);
  const driver = openDriver(work, readManifest(work), work, steps.length);
  return {
    load: feed => driver.load([feed]),
    run: async () => {
      await driver.ask('run 1');
      const numbers = (await driver.ask('ticks')).trim().split(' ').map(Number);
      return {
        ms: steps.map((_, i) => (numbers[2 * i] ?? 0) / 1e6),
        times: steps.map((_, i) => numbers[2 * i + 1] ?? 0),
      };
    },
    close: () => driver.end(),
  };
}
