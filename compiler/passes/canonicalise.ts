import { arithmeticRules } from './canonicalise-arith.ts';
import { quantRules } from './canonicalise-quant.ts';
import { viewRules } from './canonicalise-views.ts';
import { rewrites } from './pass.ts';

/** What is the same and costs less: neutral elements, things that undo themselves, two operators that one can replace. */
export const canonicalise = rewrites('canonicalise', 'Expressions become equal ones that cost less.', [
  ...viewRules,
  ...arithmeticRules,
  ...quantRules,
]);
