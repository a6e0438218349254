import type { TfBuilder, TfOps } from '../registry.ts';

/** Random generators have no answer that another program could give too, so nothing could be verified. */
const random: TfBuilder = n =>
  n.unsupported('it draws random numbers; export the model for inference, or pass what it draws as an input with --inputs-at');

const NAMES = [
  'Multinomial',
  'RandomGamma',
  'RandomPoissonV2',
  'RandomShuffle',
  'RandomStandardNormal',
  'RandomUniform',
  'RandomUniformInt',
  'StatefulStandardNormalV2',
  'StatefulUniform',
  'StatelessMultinomial',
  'StatelessRandomNormal',
  'StatelessRandomNormalV2',
  'StatelessRandomUniform',
  'StatelessRandomUniformInt',
  'StatelessRandomUniformIntV2',
  'StatelessRandomUniformV2',
  'StatelessTruncatedNormal',
  'StatelessTruncatedNormalV2',
  'TruncatedNormal',
];
export const randomOps: TfOps = Object.fromEntries(NAMES.map(name => [name, random]));
