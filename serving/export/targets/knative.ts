/** Knative Serving: from none to many pods by their rate of requests. https://knative.dev/docs/serving/autoscaling/ */
import type { IService } from '@kubernetes-models/knative/serving.knative.dev/v1';
import { buildCommands, HTTP_PORT, imageFiles } from '../image.ts';
import { DNS_LABEL, type ExportTarget } from '../target.ts';
import { readme, yaml } from '../text.ts';
import { container } from './kubernetes.ts';

export const knative: ExportTarget = {
  about: 'a Service of Knative, scaled by requests, down to none',
  names: DNS_LABEL,
  image: true,
  files: (b, o) => {
    const metric =
      o.rps === undefined ? { metric: 'concurrency', target: String(4 * o.cpus) } : { metric: 'rps', target: String(o.rps) };
    const service: IService = {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      metadata: { name: o.name },
      spec: {
        template: {
          metadata: {
            annotations: {
              'autoscaling.knative.dev/metric': metric.metric,
              'autoscaling.knative.dev/target': metric.target,
              'autoscaling.knative.dev/target-utilization-percentage': '100',
              'autoscaling.knative.dev/min-scale': String(o.min),
              'autoscaling.knative.dev/max-scale': String(o.max),
            },
          },
          spec: {
            timeoutSeconds: 60,
            containers: [
              {
                ...container(b, o, { name: 'http1', containerPort: HTTP_PORT }),
                readinessProbe: { httpGet: { path: '/v2/health/ready' }, periodSeconds: 2 },
              },
            ],
          },
        },
      },
    };
    return new Map<string, Uint8Array | string>([
      ...[...imageFiles(b, { model: true })].map(([name, data]) => [`image/${name}`, data] as const),
      ['service.yaml', yaml(service)],
      [
        'README.md',
        readme(
          `${o.name} on Knative`,
          `image/ is the image with the model in it. Build it and put it where the cluster finds it, as ${o.image}:`,
          { commands: buildCommands(b, o.image, 'image') },
          'Start it, and ask it once:',
          {
            commands: `kubectl apply --filename service.yaml
kubectl wait --for=condition=Ready ksvc/${o.name}
curl "$(kubectl get ksvc/${o.name} --output jsonpath='{.status.url}')/v2/models"`,
          },
          `It scales from ${o.min} to ${o.max} pods, one for ${o.rps === undefined ? `${metric.target} requests under way` : `each ${metric.target} requests a second`}.`,
        ),
      ],
    ]);
  },
};
