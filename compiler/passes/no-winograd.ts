import { op, rule } from '../graph/rewrite.ts';
import { Conv } from '../ops/conv/conv.ts';
import { attrsOf } from '../ops/define.ts';
import { rewrites } from './pass.ts';

/** For targets whose memory is scarce: Winograd's weights are up to four times as large as those of the convolution. */
export const direct = rewrites('direct', 'Convolutions use their weights as they are.', [
  rule('a convolution', op(Conv, [], { more: true }), m => {
    const attrs = attrsOf(m.root, Conv);
    return attrs.direct ? undefined : m.apply1(Conv, m.root.inputs, { ...attrs, direct: true });
  }),
]);
