import { bindAll, checkGuards, showMisfit, type Bindings } from '../core/bind.ts';
import { fail, must } from '../core/diagnostic.ts';
import { showType } from '../core/shape.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Program } from './program.ts';

/**
 * The values of the input symbols, which follow from the sizes of the inputs. Errors: E501 (an input is missing or does not fit), E502 (a
 * symbol is outside of its range or does not follow, or two sizes that must be equal are not).
 */
export function bindSymbols(program: Program, input: (name: string) => Tensor | undefined): Bindings {
  const env: Bindings = new Map();
  const sizes = program.inputs.flatMap(p => {
    const t = input(p.name) ?? fail('E501', { input: p.name, why: `is missing; it is a ${showType(p.type)}` });
    if (t.dtype !== p.type.dtype) fail('E501', { input: p.name, why: `has type ${t.dtype}, not ${p.type.dtype}` });
    if (t.dims.length !== p.type.shape.length)
      fail('E501', { input: p.name, why: `has ${t.dims.length} dimensions, not ${p.type.shape.length}: ${showType(p.type)}` });
    return p.type.shape.map((want, axis) => ({ want, got: must(t.dims[axis]), input: p.name, axis }));
  });
  bindAll(sizes, env, (p, m) => {
    const why = `size ${p.axis} ${showMisfit(m)}`;
    return m.k === 'range' ? fail('E502', { why: `${p.input}: ${why}` }) : fail('E501', { input: p.input, why });
  });
  for (const s of program.symbols)
    if (s.from === 'input' && !env.has(s.name)) fail('E502', { why: `the size ${s.name} does not follow from the inputs` });
  checkGuards(program.guards, env, why => fail('E502', { why }));
  return env;
}
