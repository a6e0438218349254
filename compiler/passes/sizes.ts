import { numel } from '../core/tensor.ts';
import { staticDims } from '../core/dim.ts';
import { symbolicOf, type Value, apply1 } from '../graph/graph.ts';
import { Sizes } from '../ops/movement/shape.ts';
import { mapDeep } from './deep.ts';
import type { GraphPass } from './pass.ts';

/** Chains of operators over sizes, however long, become one `Sizes` where data still need them, and nothing where they do not. */
export const sizes: GraphPass = {
  name: 'sizes',
  doc: 'Integers that follow from sizes are computed as sizes.',
  run: g =>
    mapDeep(g, () => n => {
      if (n.op === Sizes || (n.op.definesSymbols?.(n).length ?? 0) > 0) return undefined;
      const outs = n.outputs.map((v): Value | undefined => {
        const values = symbolicOf(v);
        const shape = staticDims(v.type.shape);
        return values && shape && numel(shape) === values.length
          ? apply1(Sizes, [], { values, shape, dtype: v.type.dtype }, n.loc)
          : undefined;
      });
      return outs.every(v => v !== undefined) ? outs : undefined;
    }),
};
