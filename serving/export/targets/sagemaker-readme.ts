import type { ExportedBundle } from '../bundle.ts';
import { buildCommands } from '../image.ts';
import type { ExportOptions } from '../target.ts';
import { readme } from '../text.ts';

export const readmeOf = (b: ExportedBundle, o: ExportOptions): string =>
  readme(
    `${o.name} on SageMaker`,
    `image/ is the image that serves any model of Sinter. Put it into ECR as ${o.image}, and the model to ${o.modelUri}:`,
    {
      commands: `aws ecr get-login-password --region ${o.region} | docker login --username AWS --password-stdin ${o.image.split('/')[0] ?? ''}
${buildCommands(b, o.image, 'image')}
aws s3 cp model.tar.gz ${o.modelUri}`,
    },
    `Make the endpoint. The role ${o.role} has to be able to read the model and the image.`,
    {
      commands: `aws sagemaker create-model --region ${o.region} --cli-input-json file://create-model.json
aws sagemaker create-endpoint-config --region ${o.region} --cli-input-json file://create-endpoint-config.json
aws sagemaker create-endpoint --region ${o.region} --cli-input-json file://create-endpoint.json
aws sagemaker wait endpoint-in-service --region ${o.region} --endpoint-name ${o.name}
aws sagemaker-runtime invoke-endpoint --region ${o.region} --endpoint-name ${o.name} --content-type text/csv --body fileb://row.csv /dev/stdout`,
    },
    o.rps === undefined
      ? `Let it scale from ${o.min} to ${o.max} instances; a policy comes with --rps, the rate that an instance should get (\`sinter loadtest\` finds it):`
      : `Let it scale from ${o.min} to ${o.max} instances, one for each ${o.rps} requests a second:`,
    {
      commands: `aws application-autoscaling register-scalable-target --region ${o.region} --cli-input-json file://register-scalable-target.json${
        o.rps === undefined
          ? ''
          : `\naws application-autoscaling put-scaling-policy --region ${o.region} --cli-input-json file://put-scaling-policy.json`
      }`,
    },
    'The same commands work on this machine against `sinter endpointd`: set AWS_ENDPOINT_URL to its address. The image also serves multi-model endpoints.',
  );
