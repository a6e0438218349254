import type { Op } from '../define.ts';
import { LinearRows } from './linear-rows.ts';
import { Lookup } from './lookup.ts';
import { NGrams } from './ngrams.ts';
import { PairwiseCoupling } from './pairwise.ts';

export const mlOps: readonly Op[] = [LinearRows, Lookup, NGrams, PairwiseCoupling];
