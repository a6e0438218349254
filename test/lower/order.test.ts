import { describe, expect, it } from '@jest/globals';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { fusionOrder, partition } from '../../compiler/lower/partition.ts';
import { allOps } from '../../compiler/ops/index.ts';

describe('the order of nodes', () => {
  const graph = parseGraph(
    `graph "residual" {
  input %x: f32[1,8,8,4]
  const %z: f32[1,8,8,4] random(1)
  const %w: f32[8,4,1,1] random(2)
  %c = Conv(%x, %w) {strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], layout: "NHWC"}
  %p = Concat(%x, %z) {axis: 3}
  %s = Add(%c, %p)
  %y = Relu(%s)
  output "y" = %y
}`,
    allOps,
  );
  it('has what is added to a convolution before it, so that the sum is part of its store', () => {
    const names = fusionOrder(graph).map(n => n.op.name);
    expect(names.indexOf('Concat')).toBeLessThan(names.indexOf('Conv'));
    const { runsWith } = partition(graph);
    expect([...runsWith].map(([n, host]) => [n.op.name, host.op.name])).toEqual([['Relu', 'Conv']]);
  });
  it('has every node after what it needs', () => {
    const order = fusionOrder(graph);
    const at = new Map(order.map((n, i) => [n, i]));
    for (const n of order) for (const v of n.inputs) if (v?.def.k === 'node') expect(at.get(v.def)).toBeLessThan(at.get(n) ?? -1);
  });
});
