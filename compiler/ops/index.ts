import type { Op } from './define.ts';
import { attentionOps } from './attention/index.ts';
import { controlOps } from './control/index.ts';
import { convOps } from './conv/index.ts';
import { elementwiseOps } from './elementwise/index.ts';
import { matmulOps } from './matmul/index.ts';
import { mlOps } from './ml/index.ts';
import { movementOps } from './movement/index.ts';
import { poolOps } from './pool/index.ts';
import { quantOps } from './quant/index.ts';
import { recurrentOps } from './recurrent/index.ts';
import { reduceOps } from './reduce/index.ts';
import { resampleOps } from './resample/index.ts';
import { signalOps } from './signal/index.ts';
import { sortOps } from './sort/index.ts';
import { textOps } from './text/index.ts';
import { treeOps } from './trees/index.ts';

/** Every operator there is: what the graph parser knows by name. One line a family. */
export const allOps: readonly Op[] = [
  ...attentionOps,
  ...controlOps,
  ...convOps,
  ...elementwiseOps,
  ...matmulOps,
  ...mlOps,
  ...movementOps,
  ...poolOps,
  ...quantOps,
  ...recurrentOps,
  ...reduceOps,
  ...resampleOps,
  ...signalOps,
  ...sortOps,
  ...textOps,
  ...treeOps,
];
