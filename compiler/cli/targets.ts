import type { BackEnd } from '../backend/backend.ts';
import type { Profile } from '../target/profile.ts';
import { resolveTarget, targetNames } from '../target/resolve.ts';
import { NATIVE, nativeTarget } from '../host/native-target.ts';
import { showBytes, table } from '../core/format.ts';
import { type Terminal } from './terminal.ts';

/** `sinter targets [NAME]`. */
export function targetsCommand(name: string | undefined, t: Terminal): void {
  if (name === undefined) {
    const rows = targetNames().map(n => [n, resolveTarget(n).doc]);
    t.out(table([...rows, [NATIVE, 'C for this machine, as its C compiler knows it.']]));
    t.out(
      '\n`sinter targets NAME` tells more. A profile of your own is a JSON file: { "name": "mine", "extends": "wasm-simd", … }\n',
    );
    return;
  }
  const target = resolveTarget(name === NATIVE ? nativeTarget() : name);
  t.out(`${target.name}: ${target.doc}\n`);
  if (target.profiles.length > 1) {
    t.out('Modules, best first:\n');
    t.out(table(target.profiles.map(p => [p.name, p.doc])));
    return;
  }
  for (const p of target.profiles) t.out(table(meaning(p, target.backEnd)));
}
function meaning(p: Profile, { title, fields, embedsIn }: BackEnd): string[][] {
  const fma = { none: 'no', relaxed: 'yes, rounding once or twice', fused: 'yes' }[p.vector.fma];
  const dot = {
    none: 'no',
    i16: 'pairs of int16 (i16)',
    i8u8: 'fours of int8 by uint8 (i8u8)',
    i8i8: 'fours of int8 by int8 (i8i8)',
  }[p.vector.intDot];
  return [
    ['emit', title],
    ['vector.bits', p.vector.bits === 0 ? '0 (scalar code)' : `${p.vector.bits} (${p.vector.bits / 32} floats)`],
    ['vector.fma', `multiply-add as one operation: ${fma}`],
    ['vector.intDot', `dot products of small integers: ${dot}`],
    ['vector.permute', `tables in vector registers: ${p.vector.permute ? 'yes' : 'no'}`],
    ['vector.mma', `products of blocks of 8-bit integers: ${p.vector.mma ? 'yes' : 'no'}`],
    ['registers', `${p.registers} that a kernel's inner loop may fill`],
    ...(fields.includes('toolchain')
      ? [
          ['toolchain', [p.toolchain.cc, ...p.toolchain.flags].join(' ')],
          ['toolchain.system', p.toolchain.system],
        ]
      : []),
    ...(fields.includes('features') ? [['features', p.features.join(', ') || 'those of the first version only']] : []),
    ['memory.align', `${p.memory.align} bytes`],
    ['memory.embedBelow', `weights up to ${showBytes(p.memory.embedBelow)} are put inside ${embedsIn}`],
    [
      'memory.scarce',
      p.memory.scarce ? 'weights are never transformed into larger ones' : 'weights may be transformed into larger ones',
    ],
    ['memory.arenaLimit', `${showBytes(p.memory.arenaLimit)} at most`],
    ['cache', `${showBytes(p.cache.l1)} and ${showBytes(p.cache.l2)}, for the sizes of tiles`],
    ['cache.prefetch', `memory is asked for before it is read: ${p.cache.prefetch ? 'yes' : 'no'}`],
  ];
}
