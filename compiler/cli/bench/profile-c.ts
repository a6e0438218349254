import { fail } from '../../core/diagnostic.ts';
import type { Instrumented, ToInstrument } from './profile.ts';

export function instrumentC({ target }: ToInstrument): Instrumented {
  return fail('E401', { target: target.name, why: '--profile is for WebAssembly targets, not yet for C' });
}
