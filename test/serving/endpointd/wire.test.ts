import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { check, type Json } from '../../../serving/protocols/aws/check.ts';
import { AwsError } from '../../../serving/protocols/aws/errors.ts';
import { SHAPES, type Service } from '../../../serving/protocols/aws/shapes.ts';
import { decodeRequest, encodeAnswer, encodeError, MAX_INPUT, regionOf } from '../../../serving/protocols/aws/wire.ts';

const services = Object.keys(SHAPES) as Service[];
const message = (service: Service, operation: string, input: Json): string => {
  try {
    check(service, operation, input);
  } catch (e) {
    if (e instanceof AwsError) return `${e.code}: ${e.message}`;
    throw e;
  }
  return 'ok';
};

describe('the checker of inputs', () => {
  it('tells what is missing and what breaks a limit, at its place, in the words of AWS', () => {
    expect(message('sagemaker', 'CreateModel', {})).toBe(
      "ValidationException: 1 validation error detected: Value null at 'modelName' failed to satisfy constraint: Member must not be null",
    );
    const variant = { VariantName: 'v', ModelName: 'm', InitialInstanceCount: 0, InstanceType: 'ml.m5.large' };
    expect(message('sagemaker', 'CreateEndpointConfig', { EndpointConfigName: 'c', ProductionVariants: [variant] })).toBe(
      "ValidationException: 1 validation error detected: Value '0' at 'productionVariants.1.member.initialInstanceCount' failed to satisfy constraint: Member must have value greater than or equal to 1",
    );
    expect(message('sagemaker', 'CreateEndpointConfig', { EndpointConfigName: 'c', ProductionVariants: [] })).toBe(
      "ValidationException: 1 validation error detected: Value '[]' at 'productionVariants' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
    expect(message('sagemaker', 'DescribeModel', { ModelName: 'm'.repeat(64) })).toMatch(
      /Value 'm{64}' at 'modelName' failed to satisfy constraint: Member must have length less than or equal to 63$/,
    );
  });
  it('tells types apart', () => {
    expect(message('sagemaker', 'DescribeModel', { ModelName: 7 })).toBe(
      "SerializationException: NUMBER_VALUE at 'modelName' can not be converted to a String",
    );
    expect(message('sagemaker', 'DescribeModel', [])).toMatch(/^SerializationException: START_ARRAY/);
    expect(message('sagemaker', 'ListModels', { MaxResults: 1.5 })).toMatch(/^SerializationException/);
    expect(message('sagemaker', 'ListModels', { CreationTimeBefore: 'never' })).toMatch(/^SerializationException/);
    expect(message('sagemaker', 'NoSuch', {})).toMatch(/^UnknownOperationException/);
    expect(message('sagemaker', 'toString', {})).toMatch(/^UnknownOperationException/);
  });
  it('gives times as Dates, and leaves out what it does not know', () => {
    expect(check('sagemaker', 'ListModels', { CreationTimeBefore: 1.5, Unknown: 1, MaxResults: null })).toEqual({
      CreationTimeBefore: new Date(1500),
    });
  });
  it('ends with a value or an error of AWS for any JSON, soon', () => {
    const any = fc.tuple(fc.constantFrom(...services), fc.nat(), fc.jsonValue());
    fc.assert(
      fc.property(any, ([service, n, input]) => {
        const operations = Object.keys(SHAPES[service].operations);
        expect(typeof message(service, operations[n % operations.length] ?? '', input as Json)).toBe('string');
      }),
    );
    for (const text of ['a'.repeat(100_000), '-'.repeat(62), `${'a-'.repeat(31)}!`, `arn:aws:iam::${'1'.repeat(2000)}`])
      expect(message('sagemaker', 'CreateModel', { ModelName: text, ExecutionRoleArn: text })).toMatch(/^ValidationException/);
  });
  it('has patterns that JavaScript understands', () => {
    for (const s of services)
      for (const shape of Object.values(SHAPES[s].shapes))
        if (shape.k === 'string' && shape.pattern !== undefined)
          expect(() => new RegExp(shape.pattern?.replaceAll('\\p{Print}', '\\P{C}') ?? '', 'u')).not.toThrow();
  });
});

describe('the wire', () => {
  const target = { 'x-amz-target': 'SageMaker.ListModels' };
  it('reads JSON, also packed; refuses the rest as an error of the caller', () => {
    const body = Buffer.from('{"MaxResults":5}');
    const wanted = { service: 'sagemaker', operation: 'ListModels', input: { MaxResults: 5 } };
    expect(decodeRequest(target, body)).toEqual(wanted);
    expect(decodeRequest({ ...target, 'content-encoding': 'gzip' }, gzipSync(body))).toEqual(wanted);
    expect(decodeRequest(target, Buffer.alloc(0)).input).toEqual({});
    const bomb = gzipSync(Buffer.alloc(MAX_INPUT + 1, ' '));
    for (const [headers, bytes] of [
      [target, Buffer.from('{')],
      [target, Buffer.from([0xff])],
      [{ ...target, 'content-encoding': 'gzip' }, body],
      [{ ...target, 'content-encoding': 'gzip' }, bomb],
    ] as const)
      expect(() => decodeRequest(headers, bytes)).toThrow(expect.objectContaining({ code: 'SerializationException' }));
  });
  it('says which protocols it speaks', () => {
    const query = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(() => decodeRequest(query, Buffer.from('Action=ListMetrics'))).toThrow('use an SDK that sends JSON');
    expect(() => decodeRequest({ 'x-amz-target': 'DynamoDB_20120810.GetItem' }, Buffer.alloc(0))).toThrow('names no service');
  });
  it('writes times in seconds, leaves out what is not set, and gives CloudWatch its header', () => {
    const answer = encodeAnswer('cloudwatch', { a: new Date(1500), b: undefined });
    expect(Buffer.from(answer.body).toString()).toBe('{"a":1.5}');
    expect(answer.headers['content-type']).toBe('application/x-amz-json-1.0');
    const error = encodeError('cloudwatch', new AwsError('ResourceNotFound', 'gone', 404));
    expect(error).toMatchObject({ status: 404, headers: { 'x-amzn-query-error': 'ResourceNotFound;Sender' } });
    expect(Buffer.from(error.body).toString()).toBe('{"__type":"ResourceNotFound","message":"gone"}');
  });
  it('knows the region of a signature', () => {
    const authorization =
      'AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-3/sagemaker/aws4_request, SignedHeaders=host, Signature=0';
    expect(regionOf({ authorization })).toBe('eu-west-3');
    expect(regionOf({ authorization: 'Basic x' })).toBe('us-east-1');
    expect(regionOf({})).toBe('us-east-1');
  });
});
