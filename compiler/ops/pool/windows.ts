import { attr, type Typed } from '../define.ts';
import { windowAttrs } from '../spatial.ts';

/** The windows of all pools. */
export const poolAttrs = {
  ...windowAttrs,
  kernel: attr.ints(),
  /** A last window may reach over the end. */
  ceil: attr.bool(false),
} as const;
export type PoolAttrs = Typed<typeof poolAttrs>;
