import { readFileSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { isInt } from '../../compiler/core/dtype.ts';
import { nodesOf, subgraphs, type Graph, type Node } from '../../compiler/graph/graph.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { modelFile, needs } from '../needs.ts';
import { locate, REAL_MODELS } from '../../fixtures/models.ts';

/** The live nodes of a graph and of the graphs in it. */
const everyNode = (g: Graph): readonly Node[] => nodesOf(g).flatMap(n => [n, ...subgraphs(n).flatMap(everyNode)]);

/** What may be left of integers: in the sentence transformer the tokens and positions, which are looked up, and the mask of the tokens. */
const integers: Readonly<Record<string, readonly string[]>> = {
  minilm: ['Indices i32', 'Indices i32', 'Slice i64', 'Reshape i64', 'Reshape i64', 'Reshape i64', 'Expand i64'],
};

describe('arithmetic over sizes is gone after import, with sizes left open', () => {
  for (const m of REAL_MODELS) {
    needs(modelFile(m.name)).it(m.name, () => {
      const bytes = readFileSync(must(locate(m.name)));
      const dims = Object.fromEntries(
        Object.entries(dimOptions(m, bytes)).map(([name, d]) => [name, typeof d === 'number' ? d : { lo: d.min, hi: d.max }]),
      );
      const { graph } = importOnnx(bytes, { file: m.name, dims });
      const left = everyNode(graph).filter(n => n.outputs.some(v => isInt(v.type.dtype)));
      expect(left.map(n => `${n.op.name} ${n.outputs[0]?.type.dtype ?? ''}`)).toEqual(integers[m.name] ?? []);
    });
  }
});
