import { attentionRules } from './idioms-attention.ts';
import { loopRules } from './idioms-loops.ts';
import { nbitsRules } from './idioms-nbits.ts';
import { normRules } from './idioms-norm.ts';
import { recurrentRules } from './idioms-recurrent.ts';
import { unaryRules } from './idioms-unary.ts';
import { rewrites } from './pass.ts';

/** Operators that exporters spell out, as the operators that they are. */
export const idioms = rewrites(
  'idioms',
  'Activations, normalisations, softmax, attention, recurrent cells and products with weights of four bits that are spelt out become operators.',
  [...normRules, ...unaryRules, ...attentionRules, ...nbitsRules, ...loopRules, ...recurrentRules],
);
