import type { OnnxBuilder, OnnxOps } from '../registry.ts';

/** Random generators have no answer that another program could give too, so nothing could be verified. */
const random: OnnxBuilder = n =>
  n.unsupported(`${n.op} draws random numbers; make the model deterministic, or pass what it draws as an input`);

export const randomOps: OnnxOps = {
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  Bernoulli: random,
  Multinomial: random,
};
