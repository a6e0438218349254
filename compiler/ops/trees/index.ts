import type { Op } from '../define.ts';
import { TreeEnsemble, TreeLeaves } from './ensemble.ts';
import { TreeShap } from './shap.ts';

export const treeOps: readonly Op[] = [TreeEnsemble, TreeLeaves, TreeShap];
