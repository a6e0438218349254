import { op, rewriteGraph, rule, type Rule } from '../graph/rewrite.ts';
import { Conv } from '../ops/conv/conv.ts';
import { usualAlgorithm } from '../ops/conv/schedules/conv.ts';
import { attrsOf } from '../ops/define.ts';
import { choose } from '../ops/tuning.ts';
import type { PassContext } from '../core/pass.ts';
import type { GraphPass } from './pass.ts';

const algorithms = ({ profile, tuned }: PassContext): readonly Rule[] => [
  rule('a convolution', op(Conv, [], { more: true }), m => {
    const attrs = attrsOf(m.root, Conv);
    if (attrs.algorithm !== 'auto') return undefined;
    const usual = usualAlgorithm({ ...m.root, attrs });
    const wanted = profile.memory.scarce
      ? 'direct'
      : usual && choose(tuned, m.root, 'algorithm', { direct: 'direct', transform: 'transform' } as const, usual);
    return wanted === undefined || wanted === usual ? undefined : m.apply1(Conv, m.root.inputs, { ...attrs, algorithm: wanted });
  }),
];
/** Winograd's weights are up to four times as large as those of the convolution. */
export const algorithm: GraphPass = {
  name: 'algorithm',
  doc: 'Convolutions use their weights as they are where the memory of the target is scarce, and else are computed as was found best.',
  rules: profile => (profile.memory.scarce ? algorithms({ profile }) : []),
  run: (g, ctx) => (ctx.profile.memory.scarce || ctx.tuned ? rewriteGraph(g, algorithms(ctx)) : g),
};
