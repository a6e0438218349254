import type { TfliteBuilder, TfliteOps } from '../registry.ts';

/** Variables: handles that are names, and what they hold. */
const handle: TfliteBuilder = n => [{ k: 'resource', name: n.variable }];
const assign: TfliteBuilder = (n, c) => {
  c.hold(n.resource(0), n.input(1));
  return [];
};
/** What draws random numbers has no answer that another program could give too. */
const random: TfliteBuilder = n =>
  n.unsupported('it draws random numbers; make the model deterministic, or pass what it draws as an input');

export const variableOps: TfliteOps = {
  VAR_HANDLE: handle,
  READ_VARIABLE: (n, c) => [c.held(n.resource(0))],
  ASSIGN_VARIABLE: assign,
  CALL_ONCE: (n, c) => {
    c.once(n.int('init_subgraph_index'));
    return [];
  },
  CALL: (n, c) =>
    c.inline(
      n.int('subgraph'),
      n.items.map((x, i) => x ?? n.input(i)),
    ),
  RANDOM_UNIFORM: random,
  RANDOM_STANDARD_NORMAL: random,
  MULTINOMIAL: random,
};
