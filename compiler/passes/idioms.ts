import { attentionRules } from './idioms-attention.ts';
import { normRules } from './idioms-norm.ts';
import { unaryRules } from './idioms-unary.ts';
import { rewrites } from './pass.ts';

/** Operators that exporters spell out, as the operators that they are. */
export const recover = rewrites('recover', 'Recognise activations, normalisations, softmax and attention that were spelt out', [
  ...normRules,
  ...unaryRules,
  ...attentionRules,
]);
