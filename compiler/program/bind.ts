import { fail, must } from '../core/diagnostic.ts';
import { evalDim, showDim, type Dim } from '../core/dim.ts';
import { showType } from '../core/shape.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Program } from './program.ts';

/**
 * The values of the input symbols that follow from the sizes of the inputs. A port dimension of one symbol s that occurs as c*s + d is
 * solved for s; every other one is checked once its symbols are known.
 */
export function bindSymbols(program: Program, input: (name: string) => Tensor | undefined): Map<string, number> {
  const env = new Map<string, number>();
  const later: { readonly d: Dim; readonly got: number; readonly name: string; readonly axis: number }[] = [];
  for (const p of program.inputs) {
    const t = input(p.name) ?? fail('E501', { input: p.name, why: `is missing; it is a ${showType(p.type)}` });
    if (t.dtype !== p.type.dtype) fail('E501', { input: p.name, why: `has type ${t.dtype}, not ${p.type.dtype}` });
    if (t.dims.length !== p.type.shape.length)
      fail('E501', { input: p.name, why: `has ${t.dims.length} dimensions, not ${p.type.shape.length}: ${showType(p.type)}` });
    p.type.shape.forEach((d, axis) => {
      const got = must(t.dims[axis]);
      const s = solve(d, got);
      if (s && !env.has(s.name)) env.set(s.name, s.value);
      later.push({ d, got, name: p.name, axis });
    });
  }
  for (const s of program.symbols) {
    if (s.from !== 'input') continue;
    const v = env.get(s.name) ?? fail('E502', { why: `the size ${s.name} does not follow from the inputs` });
    if (!Number.isInteger(v) || v < s.lo || v > s.hi) fail('E502', { why: `${s.name} is ${v}, outside of ${s.lo}..${s.hi}` });
  }
  for (const l of later)
    if (evalDim(l.d, env) !== l.got) {
      const is = typeof l.d === 'number' ? showDim(l.d) : `${showDim(l.d)} = ${evalDim(l.d, env)}`;
      fail('E501', { input: l.name, why: `has size ${l.got} in dimension ${l.axis}, not ${is}` });
    }
  return env;
}
/** The symbol and its value where `d` is c*s + d0. */
function solve(d: Dim, value: number): { readonly name: string; readonly value: number } | undefined {
  if (typeof d === 'number') return undefined;
  const [t, more] = d.terms;
  const [a, others] = t?.atoms ?? [];
  if (!t || more || others || a?.k !== 'sym') return undefined;
  return { name: a.name, value: (value - d.c) / t.coef };
}
/** Fails with E502 where sizes that must be equal are not. */
export function checkGuards(program: Program, env: ReadonlyMap<string, number>): void {
  for (const g of program.guards) {
    const a = evalDim(g.a, env);
    const b = evalDim(g.b, env);
    if (a !== b) fail('E502', { why: `${g.what}: ${showDim(g.a)} is ${a} and ${showDim(g.b)} is ${b}` });
  }
}
