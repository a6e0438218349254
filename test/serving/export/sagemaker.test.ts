/** What `sinter export sagemaker` writes, sent as it is to `sinter endpointd` by the AWS SDK. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DescribeScalingPoliciesCommand,
  PutScalingPolicyCommand,
  RegisterScalableTargetCommand,
  type PutScalingPolicyCommandInput,
  type RegisterScalableTargetCommandInput,
} from '@aws-sdk/client-application-auto-scaling';
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  type CreateEndpointCommandInput,
  type CreateEndpointConfigCommandInput,
  type CreateModelCommandInput,
} from '@aws-sdk/client-sagemaker';
import { startPlane, type Plane } from '../endpointd/plane.ts';
import { compileBike, predictions, rows, sinterExport, workFolder } from './bundles.ts';

const { dir, remove } = workFolder();
const out = join(dir, 'sagemaker');
let p: Plane;
beforeAll(async () => {
  await compileBike(join(dir, 'bike'));
  const uri = 's3://models/exported/model.tar.gz';
  const r = await sinterExport('sagemaker', join(dir, 'bike'), '--out', out, '--model-uri', uri, '--rps', '100', '--max', '3');
  expect(r).toMatchObject({ code: 0, err: '' });
  p = await startPlane();
  p.s3.objects.set('models/exported/model.tar.gz', readFileSync(join(out, 'model.tar.gz')));
});
afterAll(async () => {
  await p.close();
  remove();
});
/** The file as `aws … --cli-input-json file://NAME` would send it. */
const input = (name: string): unknown => JSON.parse(readFileSync(join(out, name), 'utf8'));

describe('the folder for SageMaker', () => {
  it('becomes an endpoint that answers as XGBoost does, and scales', async () => {
    await p.sagemaker.send(new CreateModelCommand(input('create-model.json') as CreateModelCommandInput));
    const config = input('create-endpoint-config.json') as CreateEndpointConfigCommandInput;
    await p.sagemaker.send(new CreateEndpointConfigCommand(config));
    await p.sagemaker.send(new CreateEndpointCommand(input('create-endpoint.json') as CreateEndpointCommandInput));
    const d = await p.inService('bike');
    expect(d.ProductionVariants).toMatchObject([{ VariantName: 'AllTraffic', CurrentInstanceCount: 1 }]);
    const { text } = await p.invoke({ EndpointName: 'bike', Body: rows.slice(0, 5).join('\n'), Accept: 'text/csv' });
    expect(
      text
        .trim()
        .split(/[\n,]/)
        .map(x => Math.fround(Number(x))),
    ).toEqual(predictions.slice(0, 5).map(Math.fround));

    const target = input('register-scalable-target.json') as RegisterScalableTargetCommandInput;
    await p.scaling.send(new RegisterScalableTargetCommand(target));
    await p.scaling.send(new PutScalingPolicyCommand(input('put-scaling-policy.json') as PutScalingPolicyCommandInput));
    const { ScalingPolicies } = await p.scaling.send(new DescribeScalingPoliciesCommand({ ServiceNamespace: 'sagemaker' }));
    expect(ScalingPolicies).toMatchObject([
      { ResourceId: 'endpoint/bike/variant/AllTraffic', TargetTrackingScalingPolicyConfiguration: { TargetValue: 6000 } },
    ]);
  });
});
