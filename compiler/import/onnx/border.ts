import { fail, type Loc } from '../../core/diagnostic.ts';
import type { DimChoices } from '../shared/dims.ts';
import type { TypeProto, ValueInfoProto } from './records.ts';

/**
 * Inputs that are sequences or optional. How many tensors a sequence has, and whether an optional tensor is there, is fixed when a model is compiled:
 * the tensors of a sequence are inputs of their own, `name_0`, `name_1`, …
 */
type Border =
  | { readonly k: 'tensor'; readonly input: ValueInfoProto }
  | { readonly k: 'absent'; readonly name: string }
  | { readonly k: 'sequence'; readonly name: string; readonly parts: readonly ValueInfoProto[] };

/** Every tensor becomes an input. */
const MOST_PARTS = 4096;

/** The type of the tensors of a sequence, which may be optional; undefined: it is no sequence of tensors. */
const elementOf = (t: TypeProto | undefined): TypeProto | undefined => {
  const element = (t?.optionalType?.elemType ?? t)?.sequenceType?.elemType;
  return element?.tensorType ? element : undefined;
};
const optionalTensor = (t: TypeProto | undefined): TypeProto | undefined => {
  const element = t?.optionalType?.elemType;
  return element?.tensorType ? element : undefined;
};
/** The inputs whose number of tensors has to be chosen. */
export const sequenceInputs = (inputs: readonly ValueInfoProto[]): readonly string[] =>
  inputs.filter(i => elementOf(i.type)).map(i => i.name);
/** The name of tensor `i` of a sequence. */
export const partName = (name: string, i: number): string => `${name}_${i}`;

/**
 * What the inputs are made of, and the choices that are left for sizes. Choices by the name of an input say how many tensors it has.
 * E301: nothing says it of a sequence. E302: a choice that makes no sense.
 */
export function bordersOf(
  inputs: readonly ValueInfoProto[],
  dims: DimChoices,
  loc: Loc,
): { readonly borders: readonly Border[]; readonly dims: DimChoices } {
  const left = new Map(Object.entries(dims));
  const count = (name: string, most: number): number | undefined => {
    const c = left.get(name);
    left.delete(name);
    if (c === undefined || (typeof c === 'number' && Number.isInteger(c) && c >= 0 && c <= most)) return c;
    return fail('E302', { dim: name, why: `it says how many tensors the input has: a number from 0 to ${most}` }, loc);
  };
  const borders = inputs.map((input): Border => {
    const { name, type } = input;
    const tensor = optionalTensor(type);
    if (tensor) return count(name, 1) === 0 ? { k: 'absent', name } : { k: 'tensor', input: { name, type: tensor } };
    const element = elementOf(type);
    if (!element) return { k: 'tensor', input };
    const n =
      count(name, MOST_PARTS) ??
      fail('E301', { dim: name, why: 'it is the number of tensors in a sequence', flags: `--dim ${name}=3` }, loc);
    return { k: 'sequence', name, parts: Array.from({ length: n }, (_, i) => ({ name: partName(name, i), type: element })) };
  });
  return { borders, dims: Object.fromEntries(left) };
}
export function tensorsOf(b: Border): readonly ValueInfoProto[] {
  switch (b.k) {
    case 'tensor':
      return [b.input];
    case 'absent':
      return [];
    case 'sequence':
      return b.parts;
  }
}
