import { attentionRules } from './recover-attention.ts';
import { normRules } from './recover-norm.ts';
import { unaryRules } from './recover-unary.ts';
import { rewrites } from './pass.ts';

/** Operators that exporters spell out, as the operators that they are. */
export const recover = rewrites('recover', 'Recognise activations, normalisations, softmax and attention that were spelt out', [
  ...normRules,
  ...unaryRules,
  ...attentionRules,
]);
