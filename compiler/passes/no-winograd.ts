import { op, rewriteGraph, rule } from '../graph/rewrite.ts';
import { Conv } from '../ops/conv/conv.ts';
import { attrsOf } from '../ops/define.ts';
import type { GraphPass } from './pass.ts';

const direct = rule('a convolution', op(Conv, [], { more: true }), m => {
  const attrs = attrsOf(m.root, Conv);
  return attrs.direct ? undefined : m.apply1(Conv, m.root.inputs, { ...attrs, direct: true });
});
/** Winograd's weights are up to four times as large as those of the convolution. */
export const noWinograd: GraphPass = {
  name: 'no-winograd',
  doc: 'Convolutions use their weights as they are where the memory of the target is scarce.',
  rules: ({ memory }) => (memory.scarce ? [direct] : []),
  run: (g, { profile }) => (profile.memory.scarce ? rewriteGraph(g, [direct]) : g),
};
