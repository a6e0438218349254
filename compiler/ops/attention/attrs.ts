import type { Dim } from '../../core/dim.ts';

export const ALIGN = ['none', 'end', 'past'] as const;
/** What a row is whose scores are all minus infinity: zeros, NaN as its softmax is, or zeros also where the softmax is NaN for another reason. */
export const UNSEEN = ['zero', 'nan', 'clear'] as const;
export interface AttentionAttrs {
  readonly scale: number;
  readonly softcap: number;
  readonly causal: boolean;
  readonly offset: Dim;
  readonly align: (typeof ALIGN)[number];
  readonly window: number;
  readonly hidden: number;
  readonly unseen: (typeof UNSEEN)[number];
}
