import type { Dim } from '../../core/dim.ts';

export const ALIGN = ['none', 'end', 'past'] as const;
export interface AttentionAttrs {
  readonly scale: number;
  readonly softcap: number;
  readonly causal: boolean;
  readonly offset: Dim;
  readonly align: (typeof ALIGN)[number];
  readonly window: number;
}
