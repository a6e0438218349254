/**
 * SageMaker: an image after its container contract, the model's archive, and the requests that make an endpoint of them.
 * https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
 */
import { readmeOf } from './sagemaker-readme.ts';
import { archive } from '../archive.ts';
import { imageFiles } from '../image.ts';
import { targetValue } from '../../control/autoscaler.ts';
import type { ExportTarget } from '../target.ts';
import { json } from '../text.ts';

export const sagemaker: ExportTarget = {
  about: 'an image, model.tar.gz, and the requests that make an endpoint',
  names: { allowed: /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/, rule: 'letters, digits and - inside, 63 at most' },
  image: true,
  files: (b, o) => {
    const variant = 'AllTraffic';
    const resource = `endpoint/${o.name}/variant/${variant}`;
    const scalable = {
      ServiceNamespace: 'sagemaker',
      ResourceId: resource,
      ScalableDimension: 'sagemaker:variant:DesiredInstanceCount',
    };
    return new Map<string, Uint8Array | string>([
      ...[...imageFiles(b, { model: false })].map(([name, data]) => [`image/${name}`, data] as const),
      ['model.tar.gz', archive(b.files)],
      [
        'create-model.json',
        json({ ModelName: o.name, ExecutionRoleArn: o.role, PrimaryContainer: { Image: o.image, ModelDataUrl: o.modelUri } }),
      ],
      [
        'create-endpoint-config.json',
        json({
          EndpointConfigName: o.name,
          ProductionVariants: [
            {
              VariantName: variant,
              ModelName: o.name,
              InstanceType: o.instanceType,
              InitialInstanceCount: o.min,
              InitialVariantWeight: 1,
            },
          ],
        }),
      ],
      ['create-endpoint.json', json({ EndpointName: o.name, EndpointConfigName: o.name })],
      ['register-scalable-target.json', json({ ...scalable, MinCapacity: o.min, MaxCapacity: o.max })],
      ...(o.rps === undefined
        ? []
        : [
            [
              'put-scaling-policy.json',
              json({
                PolicyName: `${o.name}-invocations`,
                ...scalable,
                PolicyType: 'TargetTrackingScaling',
                TargetTrackingScalingPolicyConfiguration: {
                  TargetValue: targetValue(o.rps, 1),
                  PredefinedMetricSpecification: { PredefinedMetricType: 'SageMakerVariantInvocationsPerInstance' },
                },
              }),
            ] as const,
          ]),
      ['README.md', readmeOf(b, o)],
    ]);
  },
};
