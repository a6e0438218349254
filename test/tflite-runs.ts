import { randomStream } from '../compiler/core/random.ts';
import { flexMap } from './flexbuffer.ts';
import type { GraphSpec, ModelSpec, OperatorSpec, TensorSpec } from './tflite-writer.ts';

/**
 * Models whose state or whose answer is worth a look over several runs, drawn from a seed: what `test/tflite-oracle.py` asks LiteRT about,
 * and what `test/import/tflite-runs.test.ts` compares with its answers. The same models come out every time.
 */
export interface RunsCase {
  readonly name: string;
  readonly model: ModelSpec;
  /** Elements of the inputs by name, run after run. */
  readonly runs: readonly Readonly<Record<string, readonly number[]>>[];
  /** What states begin with that are not zeros. */
  readonly first?: Readonly<Record<string, readonly number[]>>;
  /** How far an answer may be off, beside 1 of 100000 of it. */
  readonly tolerance: number;
}
/** What the runtime rounds on the way where weights are integers. */
const HYBRID = 0.02;
type Fields = Omit<TensorSpec, 'name' | 'shape'>;
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function runsCases(): RunsCase[] {
  const next = randomStream(11);
  const between = (lo: number, hi: number): number => Math.fround(lo + (hi - lo) * next());
  const floats = (n: number, by = 1): number[] => Array.from({ length: n }, () => between(-by, by));
  const ints = (n: number, by: number): number[] => Array.from({ length: n }, () => Math.round(between(-by, by)));
  const cases: RunsCase[] = [];

  /** A model of one operator: its inputs are those that have no contents. */
  function add(
    name: string,
    o: Omit<OperatorSpec, 'inputs' | 'outputs'>,
    operands: readonly (TensorSpec | undefined)[],
    results: readonly TensorSpec[],
    more: { readonly tolerance?: number; readonly draw?: (t: TensorSpec) => number[]; readonly runs?: number } = {},
  ): void {
    const given = operands.flatMap(t => t ?? []);
    const tensors = [...given, ...results];
    const inputs = given.flatMap((t, i) => (t.data === undefined && t.variable !== true ? [i] : []));
    const graph: GraphSpec = {
      tensors,
      inputs,
      outputs: results.map((_, i) => given.length + i),
      operators: [
        {
          ...o,
          inputs: operands.map(t => (t ? given.indexOf(t) : -1)),
          outputs: results.map((_, i) => given.length + i),
        },
      ],
    };
    const draw = more.draw ?? ((t: TensorSpec) => floats(count(t.shape)));
    const runs = Array.from({ length: more.runs ?? 2 }, () =>
      Object.fromEntries(
        inputs.flatMap(i => {
          const t = tensors[i];
          return t ? [[t.name, draw(t)] as const] : [];
        }),
      ),
    );
    cases.push({ name, model: { graphs: [graph] }, runs, tolerance: more.tolerance ?? 2e-6 });
  }
  const tensor = (name: string, shape: readonly number[], fields: Partial<Fields> = {}): TensorSpec => ({
    name,
    type: 'FLOAT32',
    shape,
    ...fields,
  });
  const weights = (name: string, shape: readonly number[], hybrid = false): TensorSpec =>
    hybrid
      ? tensor(name, shape, { type: 'INT8', data: ints(count(shape), 127), scale: [1 / 160], zero: [0] })
      : tensor(name, shape, { data: floats(count(shape), 0.8) });
  const variable = (name: string, shape: readonly number[]): TensorSpec => tensor(name, shape, { variable: true });

  interface Lstm {
    readonly time?: number;
    readonly batch?: number;
    readonly units?: number;
    readonly outputs?: number;
    readonly hybrid?: boolean;
    readonly coupled?: boolean;
    readonly peepholes?: boolean;
    readonly norms?: boolean;
    readonly cellClip?: number;
    readonly outputClip?: number;
    readonly projectionBias?: boolean;
    readonly major?: boolean;
    readonly activation?: number;
  }
  const FEATURES = 3;
  /** The weights of one direction from input 1 on, without states. */
  function lstmWeights(o: Lstm, tag: string, projected: boolean): (TensorSpec | undefined)[] {
    const { units = 4, hybrid = false } = o;
    const outputs = o.outputs ?? units;
    const four = (what: string, shape: readonly number[], small = false): (TensorSpec | undefined)[] =>
      ['i', 'f', 'c', 'o'].map(g =>
        o.coupled === true && g === 'i' ? undefined : weights(`${tag}${what}_${g}`, shape, hybrid && !small),
      );
    const peeps = ['i', 'f', 'o'].map(g =>
      o.peepholes !== true || (o.coupled === true && g === 'i') ? undefined : weights(`${tag}peep_${g}`, [units], hybrid),
    );
    return [
      ...four('w', [units, FEATURES]),
      ...four('r', [units, outputs]),
      ...peeps,
      ...four('b', [units], true),
      projected ? weights(`${tag}projection`, [outputs, units], hybrid) : undefined,
      projected && o.projectionBias === true ? weights(`${tag}projection_bias`, [outputs]) : undefined,
    ];
  }
  function sequenceLstm(name: string, o: Lstm): void {
    const { time = 3, batch = 2, units = 4, major = false } = o;
    const outputs = o.outputs ?? units;
    const steps = (width: number): number[] => (major ? [time, batch, width] : [batch, time, width]);
    const norms = ['i', 'f', 'c', 'o'].map(g => (o.coupled === true && g === 'i' ? undefined : weights(`norm_${g}`, [units])));
    add(
      name,
      {
        op: 'UNIDIRECTIONAL_SEQUENCE_LSTM',
        table: 'UnidirectionalSequenceLSTM',
        options: {
          fused_activation_function: o.activation ?? 4,
          cell_clip: o.cellClip ?? 0,
          proj_clip: o.outputClip ?? 0,
          time_major: major,
        },
      },
      [
        tensor('x', steps(FEATURES)),
        ...lstmWeights(o, '', outputs !== units || o.projectionBias === true),
        variable('h', [batch, outputs]),
        variable('c', [batch, units]),
        ...(o.norms === true ? norms : []),
      ],
      [tensor('y', steps(outputs))],
      o.hybrid === true ? { tolerance: HYBRID } : {},
    );
  }
  sequenceLstm('lstm', {});
  sequenceLstm('lstm of one sequence, time first', { time: 5, batch: 1, units: 6, major: true });
  sequenceLstm('lstm with relu', { units: 5, activation: 1 });
  sequenceLstm('lstm with relu6', { units: 5, activation: 3 });
  sequenceLstm('lstm whose cell is clipped', { cellClip: 0.25 });
  sequenceLstm('lstm with peepholes', { peepholes: true, units: 5 });
  sequenceLstm('lstm with coupled gates', { coupled: true });
  sequenceLstm('lstm with coupled gates and peepholes', { coupled: true, peepholes: true, time: 4 });
  sequenceLstm('lstm with a projection', { outputs: 2, units: 5 });
  sequenceLstm('lstm with a projection, clipped', { outputs: 3, units: 5, projectionBias: true, cellClip: 0.4, outputClip: 0.3 });
  sequenceLstm('lstm with layer norms', { norms: true, units: 6 });
  sequenceLstm('lstm with everything', { norms: true, peepholes: true, outputs: 3, units: 6, coupled: true, major: true });
  sequenceLstm('lstm with everything but coupled gates', { norms: true, peepholes: true, outputs: 3, units: 4 });
  sequenceLstm('lstm of 8-bit weights', { hybrid: true, units: 8 });
  sequenceLstm('lstm of 8-bit weights with a projection', { hybrid: true, units: 8, outputs: 4, peepholes: true });

  for (const [name, merge, aux] of [
    ['lstm both ways', false, 'none'],
    ['lstm both ways, merged', true, 'none'],
    ['lstm both ways with a second sequence', false, 'weighted'],
    ['lstm both ways, each its own sequence', true, 'plain'],
  ] as const) {
    const [time, batch, units] = [3, 2, 4];
    const own = ['forward_', 'backward_'].map(tag => lstmWeights({ units, peepholes: merge }, tag, false));
    const second = ['f', 'b'].flatMap(tag =>
      ['i', 'f', 'c', 'o'].map(g => (aux === 'weighted' ? weights(`aux_${tag}_${g}`, [units, FEATURES]) : undefined)),
    );
    add(
      name,
      {
        op: 'BIDIRECTIONAL_SEQUENCE_LSTM',
        table: 'BidirectionalSequenceLSTM',
        options: { fused_activation_function: 4, merge_outputs: merge, time_major: true },
      },
      [
        tensor('x', [time, batch, FEATURES]),
        ...own.flat(),
        ...['forward_h', 'forward_c', 'backward_h', 'backward_c'].map(v => variable(v, [batch, units])),
        aux === 'none' ? undefined : tensor('z', [time, batch, FEATURES]),
        ...second,
      ],
      merge
        ? [tensor('y', [time, batch, 2 * units])]
        : [tensor('y', [time, batch, units]), tensor('backward_y', [time, batch, units])],
    );
  }
  add(
    'lstm of one step',
    { op: 'LSTM', table: 'LSTM', options: { fused_activation_function: 4, kernel_type: 0 } },
    [tensor('x', [2, FEATURES]), ...lstmWeights({ peepholes: true }, '', false), variable('h', [2, 4]), variable('c', [2, 4])],
    [tensor('scratch', [2, 16]), tensor('h_out', [2, 4]), tensor('c_out', [2, 4]), tensor('y', [2, 4])].slice(3),
  );
  add(
    'basic lstm',
    { op: 'LSTM', table: 'LSTM', options: { fused_activation_function: 4, kernel_type: 1 } },
    [tensor('x', [1, 3]), tensor('h', [1, 4]), weights('w', [16, 7]), weights('b', [16]), tensor('c', [1, 4])],
    [tensor('y', [1, 4]), tensor('cell', [1, 4]), tensor('both', [1, 7]), tensor('sums', [1, 16])],
  );

  for (const [name, activation, hybrid] of [
    ['rnn', 4, false],
    ['rnn with relu6', 3, false],
    ['rnn of 8-bit weights', 4, true],
  ] as const)
    add(
      name,
      {
        op: 'UNIDIRECTIONAL_SEQUENCE_RNN',
        table: 'SequenceRNN',
        options: { time_major: false, fused_activation_function: activation },
      },
      [
        tensor('x', [2, 4, 3]),
        weights('w', [5, 3], hybrid),
        weights('r', [5, 5], hybrid),
        weights('b', [5]),
        variable('h', [2, 5]),
      ],
      [tensor('y', [2, 4, 5])],
      hybrid ? { tolerance: HYBRID } : {},
    );
  add(
    'rnn of one step',
    { op: 'RNN', table: 'RNN', options: { fused_activation_function: 4 } },
    [tensor('x', [2, 3]), weights('w', [4, 3]), weights('r', [4, 4]), weights('b', [4]), variable('h', [2, 4])],
    [tensor('y', [2, 4])],
  );
  for (const [name, merge, aux] of [
    ['rnn both ways', false, 'none'],
    ['rnn both ways with a second sequence', true, 'weighted'],
    ['rnn both ways, each its own sequence', true, 'plain'],
  ] as const) {
    const cell = (tag: string, units: number): TensorSpec[] => [
      weights(`${tag}w`, [units, 3]),
      weights(`${tag}r`, [units, units]),
      weights(`${tag}b`, [units]),
      variable(`${tag}h`, [2, units]),
    ];
    add(
      name,
      {
        op: 'BIDIRECTIONAL_SEQUENCE_RNN',
        table: 'BidirectionalSequenceRNN',
        options: { time_major: false, merge_outputs: merge, fused_activation_function: 4 },
      },
      [
        tensor('x', [2, 4, 3]),
        ...cell('forward_', 4),
        ...cell('backward_', 5),
        aux === 'none' ? undefined : tensor('z', [2, 4, 3]),
        aux === 'weighted' ? weights('forward_aux', [4, 3]) : undefined,
        aux === 'weighted' ? weights('backward_aux', [5, 3]) : undefined,
      ],
      merge ? [tensor('y', [2, 4, 9])] : [tensor('y', [2, 4, 4]), tensor('backward_y', [2, 4, 5])],
    );
  }

  for (const [name, rank, bias, activation, hybrid] of [
    ['svdf', 1, true, 0, false],
    ['svdf of rank 2', 2, false, 1, false],
    ['svdf of 8-bit weights', 2, true, 0, true],
  ] as const)
    add(
      name,
      { op: 'SVDF', table: 'SVDF', options: { rank, fused_activation_function: activation } },
      [
        tensor('x', [2, 3]),
        weights('features', [4 * rank, 3], hybrid),
        weights('time', [4 * rank, 5], hybrid),
        bias ? weights('b', [4]) : undefined,
        variable('memory', [2, 4 * rank * 5]),
      ],
      [tensor('y', [2, 4])],
      { runs: 4, ...(hybrid && { tolerance: HYBRID }) },
    );
  for (const [i, rank] of [1, 2, 1].entries()) {
    const [units, memory, features] = [[4, 5, 3] as const, [3, 4, 6] as const, [5, 2, 8] as const][i] ?? [1, 1, 1];
    const q = (name: string, type: string, shape: readonly number[], scale: number, fields: Partial<Fields> = {}): TensorSpec =>
      tensor(name, shape, { type, scale: [Math.fround(scale)], zero: [0], ...fields });
    const [x, w, s, t, y] = [0.03, 0.011, 0.00031, 0.00007, 0.021].map(v => v * between(0.8, 1.3));
    const filters = units * rank;
    const bias = { data: ints(units, 90000) };
    add(
      `svdf of integers ${i}`,
      { op: 'SVDF', table: 'SVDF', options: { rank, fused_activation_function: 1 } },
      [
        q('x', 'INT8', [2, features], x ?? 1, { zero: [-4] }),
        q('features', 'INT8', [filters, features], w ?? 1, { data: ints(filters * features, 127) }),
        q('time', 'INT16', [filters, memory], t ?? 1, { data: ints(filters * memory, 32000) }),
        q('b', 'INT32', [units], (s ?? 1) * (t ?? 1), bias),
        q('memory', 'INT16', [2, filters * memory], s ?? 1, { variable: true }),
      ],
      [q('y', 'INT8', [2, units], y ?? 1, { zero: [-3] })],
      { runs: 4, tolerance: 0, draw: spec => ints(count(spec.shape), 127) },
    );
  }

  // Boxes of detectors: of several classes and anchors, with a class for the background or without.
  for (const [name, background, options] of [
    ['boxes', 0, { use_regular_nms: false, max_classes_per_detection: 1 }],
    ['boxes of two classes each', 1, { use_regular_nms: false, max_classes_per_detection: 2 }],
    ['boxes class by class', 1, { use_regular_nms: true, max_classes_per_detection: 1, detections_per_class: 3 }],
    [
      'boxes class by class, few',
      0,
      { use_regular_nms: true, max_classes_per_detection: 1, detections_per_class: 100, few: true },
    ],
  ] as const) {
    const [anchors, classes] = [12, 3];
    const few = 'few' in options;
    const size = 6 * (options.use_regular_nms ? 1 : options.max_classes_per_detection);
    const scales = {
      y_scale: 10,
      x_scale: 10,
      h_scale: 5,
      w_scale: 5,
      nms_iou_threshold: 0.4,
      nms_score_threshold: few ? 0.9 : 0.3,
    };
    const { max_classes_per_detection, use_regular_nms } = options;
    const custom = flexMap({
      max_detections: 6,
      num_classes: classes,
      max_classes_per_detection,
      use_regular_nms,
      ...('detections_per_class' in options && { detections_per_class: options.detections_per_class }),
      ...Object.fromEntries(Object.entries(scales).map(([k, float]) => [k, { float }])),
    });
    const centre = (): number[] => [between(0.2, 0.8), between(0.2, 0.8), between(0.2, 0.5), between(0.2, 0.5)];
    add(
      name,
      { op: 'TFLite_Detection_PostProcess', customOptions: custom },
      [
        tensor('encodings', [1, anchors, 4]),
        tensor('scores', [1, anchors, classes + background]),
        tensor('anchors', [anchors, 4], { data: Array.from({ length: anchors }, centre).flat() }),
      ],
      [tensor('boxes', [1, size, 4]), tensor('classes', [1, size]), tensor('scores_out', [1, size]), tensor('number', [1])],
      { runs: 2, draw: t => (t.name === 'scores' ? floats(count(t.shape)).map(Math.abs) : floats(count(t.shape))) },
    );
  }

  // A variable that runs count up from what a graph that runs once gives it.
  const handle = (name: string): TensorSpec => ({ name, type: 'RESOURCE', shape: [] });
  const hold: OperatorSpec = {
    op: 'VAR_HANDLE',
    inputs: [],
    outputs: [0],
    table: 'VarHandle',
    options: { container: '', shared_name: 'sum' },
  };
  cases.push({
    name: 'a variable',
    model: {
      graphs: [
        {
          tensors: [tensor('x', [2]), handle('handle'), tensor('old', [2]), tensor('y', [2])],
          inputs: [0],
          outputs: [3],
          operators: [
            { op: 'CALL_ONCE', inputs: [], outputs: [], table: 'CallOnce', options: { init_subgraph_index: 1 } },
            { ...hold, outputs: [1] },
            { op: 'READ_VARIABLE', inputs: [1], outputs: [2], table: 'ReadVariable' },
            { op: 'ADD', inputs: [2, 0], outputs: [3], table: 'Add', options: {} },
            { op: 'ASSIGN_VARIABLE', inputs: [1, 3], outputs: [], table: 'AssignVariable' },
          ],
        },
        {
          name: 'once',
          tensors: [handle('first'), tensor('begin', [2], { data: [10, 20] })],
          inputs: [],
          outputs: [],
          operators: [hold, { op: 'ASSIGN_VARIABLE', inputs: [0, 1], outputs: [], table: 'AssignVariable' }],
        },
      ],
    },
    first: { sum: [10, 20] },
    runs: [{ x: [1, 2] }, { x: [0.5, 4] }, { x: [3, 3] }],
    tolerance: 0,
  });
  return cases;
}
