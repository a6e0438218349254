import type { Dim } from '../../../core/dim.ts';
import type { Read } from '../../shared/sizes.ts';
import type { OnnxNode } from '../registry.ts';

/** A size that the file declares for axis `i` of output `o`, or else a reading of it up to `hi`. */
export const declaredOr = (n: OnnxNode, o: number, i: number, read: () => Read): Dim | Read => n.declared(o)?.[i] ?? read();
