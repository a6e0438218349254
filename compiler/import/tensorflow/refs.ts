/** Names of values: `node`, `node:output`, and in functions `argument` or `node:argument:output`. */
export interface Ref {
  readonly node: string;
  readonly index: number;
}
/** The output arguments of operators that have more than one, in order: elsewhere the last number of a name is the output. */
const OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  AudioSpectrogram: ['spectrogram'],
  CombinedNonMaxSuppression: ['nmsed_boxes', 'nmsed_scores', 'nmsed_classes', 'valid_detections'],
  CTCGreedyDecoder: ['decoded_indices', 'decoded_values', 'decoded_shape', 'log_probability'],
  DecodeWav: ['audio', 'sample_rate'],
  DenseToDenseSetOperation: ['result_indices', 'result_values', 'result_shape'],
  FusedBatchNorm: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2'],
  FusedBatchNormV2: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2'],
  FusedBatchNormV3: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2', 'reserve_space_3'],
  GenerateBoundingBoxProposals: ['rois', 'roi_probabilities'],
  ListDiff: ['out', 'idx'],
  LogMatrixDeterminant: ['sign', 'log_abs_determinant'],
  MaxPoolWithArgmax: ['output', 'argmax'],
  Merge: ['output', 'value_index'],
  NonMaxSuppressionV4: ['selected_indices', 'valid_outputs'],
  NonMaxSuppressionV5: ['selected_indices', 'selected_scores', 'valid_outputs'],
  NonMaxSuppressionWithOverlaps: ['selected_indices'],
  Qr: ['q', 'r'],
  RaggedGather: ['output_nested_splits', 'output_dense_values'],
  RaggedRange: ['rt_nested_splits', 'rt_dense_values'],
  RaggedTensorFromVariant: ['output_nested_splits', 'output_dense_values'],
  RaggedTensorToSparse: ['sparse_indices', 'sparse_values', 'sparse_dense_shape'],
  SampleDistortedBoundingBoxV2: ['begin', 'size', 'bboxes'],
  SoftmaxCrossEntropyWithLogits: ['loss', 'backprop'],
  SparseFillEmptyRows: ['output_indices', 'output_values', 'empty_row_indicator', 'reverse_index_map'],
  SparseReshape: ['output_indices', 'output_shape'],
  SparseSoftmaxCrossEntropyWithLogits: ['loss', 'backprop'],
  SparseSlice: ['output_indices', 'output_values', 'output_shape'],
  SparseToSparseSetOperation: ['result_indices', 'result_values', 'result_shape'],
  StatelessRandomGetKeyCounter: ['key', 'counter'],
  Svd: ['s', 'u', 'v'],
  Switch: ['output_false', 'output_true'],
  TensorArrayConcatV3: ['value', 'lengths'],
  TensorArrayGradV3: ['grad_handle', 'flow_out'],
  TensorArrayV3: ['handle', 'flow'],
  TensorListConcatV2: ['tensor', 'lengths'],
  TensorListPopBack: ['output_handle', 'tensor'],
  TopK: ['values', 'indices'],
  TopKV2: ['values', 'indices'],
  Unique: ['y', 'idx'],
  UniqueV2: ['y', 'idx'],
  UniqueWithCounts: ['y', 'idx', 'count'],
  UniqueWithCountsV2: ['y', 'idx', 'count'],
};
/** How many outputs an operator has that has more than one argument for them; undefined: one, or as many as an attribute says. */
export const outputCount = (op: string): number | undefined => OUTPUTS[op]?.length;
/** Those of the arguments of these operators that are lists; what stands behind them counts on. */
const LISTS: Readonly<Record<string, string>> = {
  RaggedGather: 'OUTPUT_RAGGED_RANK',
  RaggedTensorFromVariant: 'output_ragged_rank',
};
/** Where the outputs of an argument begin. `count`: an attribute of the node. */
export function outputIndex(op: string, argument: string, index: number, count: (attr: string) => number): number {
  const at = (OUTPUTS[op] ?? []).indexOf(argument);
  const list = LISTS[op];
  if (list !== undefined && at > 0) return at - 1 + count(list) + index;
  return Math.max(0, at) + index;
}
/** Whether an input is only there for the order of things. */
export const isControl = (text: string): boolean => text.startsWith('^');
/** Cuts a name of a value into its parts. Names of nodes have no colon. */
export function splitRef(text: string): readonly [node: string, argument: string | undefined, index: number] {
  const [node = '', second, third] = text.split(':');
  if (third !== undefined) return [node, second, Number(third) || 0];
  return [node, undefined, Number(second ?? 0) || 0];
}
