/**
 * What numbers of a TensorFlow Lite file mean, and the fields of its options: the facts of schema.fbs, version 3d
 * (https://github.com/google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs). Fields are in the order of their numbers.
 */

const words = (s: string): readonly string[] => s.trim().split(/\s+/);
const lines = (s: string): readonly string[] =>
  s
    .trim()
    .split('\n')
    .map(l => l.trim());

/** Operators by their code. */
export const BUILTINS = words(`
  ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED
  HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU
  RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
  EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV
  SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE
  BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
  SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT
  REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE
  ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL
  REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
  NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
  PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND
  HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
  RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
  UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC
  STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
  STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
  STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
  STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
  STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD
  STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER
  STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT
  STABLEHLO_CASE
`);
/** Element types by their number. */
export const TENSOR_TYPES = words(`
  FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64 RESOURCE VARIANT UINT32 UINT16
  INT4 BFLOAT16 INT2 UINT4 FLOAT8_E4M3FN FLOAT8_E5M2
`);

/**
 * Tables of options, in the order of the union that says which one an operator has; the first is number 1. After the name come the fields:
 * a kind of number, `text`, or a list of numbers, and what is meant where the field is missing (else 0).
 */
export const OPTIONS = lines(`
  Conv2D padding:i8 stride_w:i32 stride_h:i32 fused_activation_function:i8 dilation_w_factor:i32=1 dilation_h_factor:i32=1 quantized_bias_type:i8
  DepthwiseConv2D padding:i8 stride_w:i32 stride_h:i32 depth_multiplier:i32 fused_activation_function:i8 dilation_w_factor:i32=1 dilation_h_factor:i32=1
  ConcatEmbeddings num_channels:i32 num_columns_per_channel:i32[] embedding_dim_per_channel:i32[]
  LSHProjection type:i8
  Pool2D padding:i8 stride_w:i32 stride_h:i32 filter_width:i32 filter_height:i32 fused_activation_function:i8
  SVDF rank:i32 fused_activation_function:i8 asymmetric_quantize_inputs:bool
  RNN fused_activation_function:i8 asymmetric_quantize_inputs:bool
  FullyConnected fused_activation_function:i8 weights_format:i8 keep_num_dims:bool asymmetric_quantize_inputs:bool quantized_bias_type:i8
  Softmax beta:f32
  Concatenation axis:i32 fused_activation_function:i8
  Add fused_activation_function:i8 pot_scale_int16:bool=1
  L2Norm fused_activation_function:i8
  LocalResponseNormalization radius:i32 bias:f32 alpha:f32 beta:f32
  LSTM fused_activation_function:i8 cell_clip:f32 proj_clip:f32 kernel_type:i8 asymmetric_quantize_inputs:bool
  ResizeBilinear new_height:i32 new_width:i32 align_corners:bool half_pixel_centers:bool
  Call subgraph:u32
  Reshape new_shape:i32[]
  SkipGram ngram_size:i32 max_skip_size:i32 include_all_ngrams:bool
  SpaceToDepth block_size:i32
  EmbeddingLookupSparse combiner:i8
  Mul fused_activation_function:i8
  Pad
  Gather axis:i32 batch_dims:i32
  BatchToSpaceND
  SpaceToBatchND
  Transpose
  Reducer keep_dims:bool
  Sub fused_activation_function:i8 pot_scale_int16:bool=1
  Div fused_activation_function:i8
  Squeeze squeeze_dims:i32[]
  SequenceRNN time_major:bool fused_activation_function:i8 asymmetric_quantize_inputs:bool
  StridedSlice begin_mask:i32 end_mask:i32 ellipsis_mask:i32 new_axis_mask:i32 shrink_axis_mask:i32 offset:bool
  Exp
  TopKV2
  Split num_splits:i32
  LogSoftmax
  Cast in_data_type:i8 out_data_type:i8
  Dequantize
  MaximumMinimum
  ArgMax output_type:i8
  Less
  Neg
  PadV2
  Greater
  GreaterEqual
  LessEqual
  Select
  Slice
  TransposeConv padding:i8 stride_w:i32 stride_h:i32 fused_activation_function:i8 quantized_bias_type:i8
  SparseToDense validate_indices:bool
  Tile
  ExpandDims
  Equal
  NotEqual
  Shape out_type:i8
  Pow
  ArgMin output_type:i8
  FakeQuant min:f32 max:f32 num_bits:i32 narrow_range:bool
  Pack values_count:i32 axis:i32
  LogicalOr
  OneHot axis:i32
  LogicalAnd
  LogicalNot
  Unpack num:i32 axis:i32
  FloorDiv
  Square
  ZerosLike
  Fill
  BidirectionalSequenceLSTM fused_activation_function:i8 cell_clip:f32 proj_clip:f32 merge_outputs:bool time_major:bool=1 asymmetric_quantize_inputs:bool
  BidirectionalSequenceRNN time_major:bool fused_activation_function:i8 merge_outputs:bool asymmetric_quantize_inputs:bool
  UnidirectionalSequenceLSTM fused_activation_function:i8 cell_clip:f32 proj_clip:f32 time_major:bool asymmetric_quantize_inputs:bool diagonal_recurrent_tensors:bool
  FloorMod
  Range
  ResizeNearestNeighbor align_corners:bool half_pixel_centers:bool
  LeakyRelu alpha:f32
  SquaredDifference
  MirrorPad mode:i8
  Abs
  SplitV num_splits:i32
  Unique idx_out_type:i8=2
  ReverseV2
  AddN
  GatherNd
  Cos
  Where
  Rank
  ReverseSequence seq_dim:i32 batch_dim:i32
  MatrixDiag
  Quantize
  MatrixSetDiag
  HardSwish
  If then_subgraph_index:i32 else_subgraph_index:i32
  While cond_subgraph_index:i32 body_subgraph_index:i32
  DepthToSpace block_size:i32
  NonMaxSuppressionV4
  NonMaxSuppressionV5
  ScatterNd
  SelectV2
  Densify
  SegmentSum
  BatchMatMul adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool
  Cumsum exclusive:bool reverse:bool
  CallOnce init_subgraph_index:i32
  BroadcastTo
  Rfft2d
  Conv3D padding:i8 stride_d:i32 stride_w:i32 stride_h:i32 fused_activation_function:i8 dilation_d_factor:i32=1 dilation_w_factor:i32=1 dilation_h_factor:i32=1
  Hashtable table_id:i32 key_dtype:i8 value_dtype:i8
  HashtableFind
  HashtableImport
  HashtableSize
  VarHandle container:text shared_name:text
  ReadVariable
  AssignVariable
  Random seed:i64 seed2:i64
  Bucketize boundaries:f32[]
  Gelu approximate:bool
  DynamicUpdateSlice
  UnsortedSegmentProd
  UnsortedSegmentMax
  UnsortedSegmentMin
  UnsortedSegmentSum
  ATan2
  Sign
  Bitcast
  BitwiseXor
  RightShift
`);
/** The second union, for what did not fit the first. */
export const OPTIONS_2 = lines(`
  StablehloConcatenate dimension:i64
  StablehloBroadcastInDim broadcast_dimensions:i64[]
  StablehloSlice start_indices:i64[] limit_indices:i64[] strides:i64[]
  StablehloConvolution window_strides:i64[] padding:i64[] lhs_dilation:i64[] rhs_dilation:i64[] window_reversal:bool[] input_batch_dimension:i64 input_feature_dimension:i64 input_spatial_dimensions:i64[] kernel_input_feature_dimension:i64 kernel_output_feature_dimension:i64 kernel_spatial_dimensions:i64[] output_batch_dimension:i64 output_feature_dimension:i64 output_spatial_dimensions:i64[] feature_group_count:i64 batch_group_count:i64 precision_config:u32[]
  StablehloCustomCall call_target_name:text has_side_effect:bool backend_config:text api_version:i32 called_computations:i32[] custom_attributes:u8[]
  StablehloReduce dimensions:i64[] body_subgraph_index:i32
  StablehloScatter indices_are_sorted:bool update_window_dims:i64[] inserted_window_dims:i64[] scatter_dims_to_operand_dims:i64[] index_vector_dim:i64 unique_indices:bool update_computation_subgraph_index:i32
  StablehloCompare comparison_direction:u32 compare_type:u32
  StablehloDynamicSlice slice_sizes:i64[]
  StablehloPad edge_padding_low:i64[] edge_padding_high:i64[] interior_padding:i64[]
  StablehloIota iota_dimension:i64
  StablehloDotGeneral lhs_batching_dimensions:i64[] rhs_batching_dimensions:i64[] lhs_contracting_dimensions:i64[] rhs_contracting_dimensions:i64[] precision_config:u32[]
  StablehloReduceWindow window_dimensions:i64[] window_strides:i64[] base_dilations:i64[] window_dilations:i64[] padding:i64[] body_subgraph_index:i32
  StablehloSort dimension:i64 is_stable:bool comparator_subgraph_index:i32
  StablehloWhile cond_subgraph_index:i32 body_subgraph_index:i32
  StablehloGather offset_dims:i64[] collapsed_slice_dims:i64[] start_index_map:i64[] index_vector_dim:i64 slice_sizes:i64[] indices_are_sorted:bool
  StablehloTranspose permutation:i64[]
  Dilate
  StablehloRngBitGenerator algorithm:i8
  ReduceWindow reduce_function:i32
  StableHLOComposite name:text decomposition_subgraph_index:i32 composite_attributes:u8[] composite_attributes_format:i8 version:i32
  StablehloShiftLeft
  StablehloCase branch_subgraph_indices:i32[]
`);

/** Paddings and activations by their numbers. */
export const PADDINGS = ['SAME', 'VALID'] as const;
export const ACTIVATIONS = ['NONE', 'RELU', 'RELU_N1_TO_1', 'RELU6', 'TANH', 'SIGN_BIT'] as const;
