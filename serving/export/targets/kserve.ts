/** KServe: a runtime for all models of Sinter, this model as an InferenceService, and a graph around it. https://kserve.github.io/website/ */
import { buildCommands, HTTP_PORT, imageFiles, serveArguments } from '../image.ts';
import type { ExportOptions, ExportTarget } from '../target.ts';
import type { ExportedBundle } from '../bundle.ts';
import { readme, yaml } from '../text.ts';

const RUNTIME = 'sinter';
/** Where KServe's storage initializer puts the model. */
const MOUNT = '/mnt/models';
const GRPC_PORT = 9000;

const runtime = (b: ExportedBundle, o: ExportOptions): unknown => ({
  apiVersion: 'serving.kserve.io/v1alpha1',
  kind: 'ClusterServingRuntime',
  metadata: { name: RUNTIME },
  spec: {
    annotations: { 'prometheus.kserve.io/port': String(HTTP_PORT), 'prometheus.kserve.io/path': '/metrics' },
    supportedModelFormats: [{ name: 'sinter', version: '0', autoSelect: true, priority: 1 }],
    protocolVersions: ['v2', 'grpc-v2'],
    containers: [
      {
        name: 'kserve-container',
        image: o.image,
        // KServe puts the name of the InferenceService into the braces.
        args: [...serveArguments('{{.Name}}', MOUNT, o.cpus), '--grpc-port', String(GRPC_PORT)],
        ports: [{ containerPort: HTTP_PORT, protocol: 'TCP' }],
        securityContext: {
          allowPrivilegeEscalation: false,
          privileged: false,
          runAsNonRoot: true,
          runAsUser: 1000,
          capabilities: { drop: ['ALL'] },
        },
        resources: {
          requests: { cpu: String(o.cpus), memory: `${b.memory}Mi` },
          limits: { cpu: String(o.cpus), memory: `${b.memory}Mi` },
        },
        readinessProbe: { httpGet: { path: '/v2/health/ready', port: HTTP_PORT }, periodSeconds: 2, timeoutSeconds: 2 },
        livenessProbe: { httpGet: { path: '/v2/health/live', port: HTTP_PORT }, periodSeconds: 5, timeoutSeconds: 2 },
      },
    ],
    ...(b.native?.arch !== undefined && { nodeSelector: { 'kubernetes.io/arch': b.native.arch } }),
  },
});
const service = (o: ExportOptions): unknown => ({
  apiVersion: 'serving.kserve.io/v1beta1',
  kind: 'InferenceService',
  metadata: { name: o.name },
  spec: {
    predictor: {
      minReplicas: o.min,
      maxReplicas: o.max,
      ...(o.rps === undefined
        ? { scaleMetric: 'cpu', scaleTarget: 60 }
        : { scaleMetric: 'rps', scaleTarget: Math.max(1, Math.floor(o.rps)) }),
      model: { modelFormat: { name: 'sinter' }, protocolVersion: 'v2', runtime: RUNTIME, storageUri: o.modelUri },
    },
  },
});
/** One step, to begin a pipeline or a choice with. */
const graph = (o: ExportOptions): unknown => ({
  apiVersion: 'serving.kserve.io/v1alpha1',
  kind: 'InferenceGraph',
  metadata: { name: `${o.name}-graph` },
  spec: { nodes: { root: { routerType: 'Sequence', steps: [{ name: o.name, serviceName: o.name, data: '$request' }] } } },
});
export const kserve: ExportTarget = {
  about: 'a ClusterServingRuntime, an InferenceService and an InferenceGraph',
  // With "-graph" and "-predictor" it has to stay a label.
  names: { allowed: /^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$/, rule: 'small letters, digits and - inside, a letter first, 50 at most' },
  image: true,
  files: (b, o) =>
    new Map<string, Uint8Array | string>([
      ...[...imageFiles(b, { model: false })].map(([name, data]) => [`image/${name}`, data] as const),
      ...[...b.files].map(([name, data]) => [`model/${name}`, data] as const),
      ['runtime.yaml', yaml(runtime(b, o))],
      ['service.yaml', yaml(service(o))],
      ['graph.yaml', yaml(graph(o))],
      [
        'README.md',
        readme(
          `${o.name} on KServe`,
          `image/ is the image that serves any model of Sinter. Build it and put it where the cluster finds it, as ${o.image}; put model/ where service.yaml says, ${o.modelUri}:`,
          { commands: `${buildCommands(b, o.image, 'image')}\naws s3 cp --recursive model ${o.modelUri}` },
          'Start it, and ask it once. The runtime is needed once in a cluster; graph.yaml is a beginning for pipelines and ensembles.',
          {
            commands: `kubectl apply --filename runtime.yaml --filename service.yaml
kubectl wait --for=condition=Ready inferenceservice/${o.name}
curl "$(kubectl get inferenceservice/${o.name} --output jsonpath='{.status.url}')/v2/models/${o.name}"`,
          },
          o.rps === undefined
            ? 'It is scaled by processor time. With --rps it is scaled by requests, which KServe does in its Knative mode only.'
            : `It is scaled to ${o.rps} requests a second for each pod, which KServe does in its Knative mode only.`,
          'A new version for a tenth of the requests (Knative mode): change storageUri and set spec.predictor.canaryTrafficPercent to 10; without it, all go there.',
        ),
      ],
    ]),
};
