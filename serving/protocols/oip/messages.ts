import protobuf from 'protobufjs';

/**
 * The messages of inference.GRPCInferenceService, by the numbers of their fields:
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
 */
const fields = (names: string, ...types: readonly string[]): protobuf.IType => ({
  fields: Object.fromEntries(
    names.split(' ').map((name, i) => {
      const type = types[i] ?? 'string';
      const [, key, value] = /^map<(\w+),(\w+)>$/.exec(type) ?? [];
      const [, one] = /^repeated (\w+)$/.exec(type) ?? [];
      const field = key ? { keyType: key, type: value } : one ? { rule: 'repeated', type: one } : { type };
      return [name, { id: i + 1, ...field }];
    }),
  ) as Record<string, protobuf.IField>,
});
const S = 'string';
const PARAMETERS = 'map<string,InferParameter>';
const root = protobuf.Root.fromJSON({
  nested: {
    InferParameter: {
      oneofs: { choice: { oneof: ['boolParam', 'int64Param', 'stringParam', 'doubleParam', 'uint64Param'] } },
      ...fields('boolParam int64Param stringParam doubleParam uint64Param', 'bool', 'int64', S, 'double', 'uint64'),
    },
    Contents: fields(
      'bool int int64 uint uint64 fp32 fp64 bytes',
      ...['bool', 'int32', 'int64', 'uint32', 'uint64', 'float', 'double', 'bytes'].map(t => `repeated ${t}`),
    ),
    Tensor: fields('name datatype shape parameters contents', S, S, 'repeated int64', PARAMETERS, 'Contents'),
    RequestedOutput: fields('name parameters', S, PARAMETERS),
    InferRequest: fields(
      'modelName modelVersion id parameters inputs outputs rawInputContents',
      ...[S, S, S, PARAMETERS, 'repeated Tensor', 'repeated RequestedOutput', 'repeated bytes'],
    ),
    InferResponse: fields(
      'modelName modelVersion id parameters outputs rawOutputContents',
      ...[S, S, S, PARAMETERS, 'repeated Tensor', 'repeated bytes'],
    ),
    Empty: { fields: {} },
    Live: fields('live', 'bool'),
    Ready: fields('ready', 'bool'),
    ServerMetadata: fields('name version extensions', S, S, 'repeated string'),
    ModelName: fields('name version', S, S),
    TensorMetadata: fields('name datatype shape', S, S, 'repeated int64'),
    ModelMetadata: fields(
      'name versions platform inputs outputs',
      ...[S, 'repeated string', S, 'repeated TensorMetadata', 'repeated TensorMetadata'],
    ),
    IndexRequest: fields('repositoryName ready', S, 'bool'),
    IndexEntry: fields('name version state reason'),
    Index: fields('models', 'repeated IndexEntry'),
    // KServe names the model in field 1, Triton in field 2 behind the name of a repository.
    RepositoryModel: fields('first second', S, S),
    RepositoryAnswer: fields('modelName isDone', S, 'bool'),
  },
});
export const message = (name: string): protobuf.Type => root.lookupType(name);
