import { argument, dataOf, functionDef, named, type Program } from './frames.ts';
import type { FunctionDef, NodeDef } from './records.ts';
import { INT32, tensorProto } from './tensor.ts';

/** The function that takes a number, and whatever the branches take, and gives what the branch of that number gives, from branch `first` on. */
export const caseFunction = (branches: readonly string[], first = 0): string => `case ${first} of ${branches.join(', ')}`;
const onlyBranch = (branches: readonly string[], i: number): string => `branch ${i} of ${branches.join(', ')}`;

/** Functions for each Case of a model: an If for each branch but the last, which all other numbers take. */
export function caseFunctions(p: Program): readonly FunctionDef[] {
  const known = new Map(p.functions.map(f => [f.signature?.name ?? '', f]));
  const made = new Map<string, FunctionDef>();
  for (const n of [...p.nodes, ...p.functions.flatMap(f => f.nodes)]) {
    const branches = /^(?:Stateless)?Case$/.test(n.op) ? branchesOf(n) : [];
    const [first = ''] = branches;
    const results = known.get(first)?.signature?.outputArg.length ?? 0;
    if (branches.length < 2 || made.has(caseFunction(branches))) continue;
    const count = dataOf(n).length;
    const add = (name: string, nodes: readonly NodeDef[], from: string): void => {
      const values = Array.from({ length: results }, (_, i) => `${from}:${i}`);
      made.set(name, functionDef(name, count, nodes, values));
    };
    const args = Array.from({ length: count }, (_, i) => argument(i));
    branches.forEach((f, i) => {
      const call: NodeDef = { name: 'call', op: 'PartitionedCall', input: args.slice(1), attr: [{ key: 'f', value: named(f) }] };
      add(onlyBranch(branches, i), [call], 'call');
      if (i === branches.length - 1) return;
      const rest = i === branches.length - 2 ? onlyBranch(branches, i + 1) : caseFunction(branches, i + 1);
      const number = tensorProto(INT32, [], new Uint8Array(Int32Array.of(i).buffer));
      const nodes: readonly NodeDef[] = [
        { name: 'number', op: 'Const', input: [], attr: [{ key: 'value', value: { tensor: number } }] },
        { name: 'is', op: 'Equal', input: [argument(0), 'number'], attr: [] },
        {
          name: 'if',
          op: 'If',
          input: ['is', ...args],
          attr: [
            { key: 'then_branch', value: named(onlyBranch(branches, i)) },
            { key: 'else_branch', value: named(rest) },
          ],
        },
      ];
      add(caseFunction(branches, i), nodes, 'if');
    });
  }
  return [...made.values()];
}
const branchesOf = (n: NodeDef): readonly string[] =>
  n.attr.find(a => a.key === 'branches')?.value?.list?.func.map(f => f.name) ?? [];
