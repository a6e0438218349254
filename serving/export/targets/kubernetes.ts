/**
 * Kubernetes, alone and scaled by KEDA: a Deployment, a Service, a PodDisruptionBudget and what scales them.
 * https://kubernetes.io/docs/reference/kubernetes-api/, https://keda.sh/docs/latest/scalers/prometheus/
 */
import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { IContainer, IContainerPort, IProbe, IService } from 'kubernetes-models/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ExportError, type ExportedBundle } from '../bundle.ts';
import { buildCommands, HTTP_PORT, imageFiles, MODEL_DIR, serveArguments } from '../image.ts';
import { DNS_LABEL, type ExportFiles, type ExportOptions, type ExportTarget } from '../target.ts';
import { readme, yaml } from '../text.ts';

/** Of the processor time that a pod asks for; the rest carries the load while pods start. */
const CPU_SHARE = 60;
/** SIGTERM to SIGKILL; the server ends in 25 s. */
const GRACE = 30;

type Meta = Pick<NonNullable<IDeployment['metadata']>, 'name' | 'labels'>;
const labels = (o: ExportOptions): Record<string, string> => ({ 'app.kubernetes.io/name': o.name });
const metadata = (o: ExportOptions): Meta => ({ name: o.name, labels: labels(o) });
const probe = (path: string, periodSeconds: number, failureThreshold: number): IProbe => ({
  httpGet: { path, port: 'http' },
  periodSeconds,
  failureThreshold,
  timeoutSeconds: 2,
});
/** The container of a pod; `ports` as the system names them. */
export const container = (b: ExportedBundle, o: ExportOptions, port: IContainerPort): IContainer => ({
  name: 'sinter',
  image: o.image,
  args: serveArguments(o.name, MODEL_DIR, o.cpus),
  ports: [port],
  resources: {
    requests: { cpu: String(o.cpus), memory: `${b.memory}Mi` },
    limits: { memory: `${b.memory}Mi` },
  },
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 1000,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
});
function deployment(b: ExportedBundle, o: ExportOptions): IDeployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(o),
    // No number of replicas: what scales it decides, and `kubectl apply` leaves it alone.
    spec: {
      selector: { matchLabels: labels(o) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      template: {
        metadata: {
          labels: labels(o),
          annotations: {
            'prometheus.io/scrape': 'true',
            'prometheus.io/port': String(HTTP_PORT),
            'prometheus.io/path': '/metrics',
          },
        },
        spec: {
          terminationGracePeriodSeconds: GRACE,
          ...(b.native?.arch !== undefined && { nodeSelector: { 'kubernetes.io/arch': b.native.arch } }),
          containers: [
            {
              ...container(b, o, { name: 'http', containerPort: HTTP_PORT }),
              startupProbe: probe('/v2/health/ready', 1, 240),
              readinessProbe: probe('/v2/health/ready', 2, 1),
              livenessProbe: probe('/v2/health/live', 5, 3),
            },
          ],
        },
      },
    },
  };
}
const service = (o: ExportOptions): IService => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(o),
  spec: { selector: labels(o), ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
});
const disruption = (o: ExportOptions): IPodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metadata(o),
  spec: { maxUnavailable: 1, selector: { matchLabels: labels(o) } },
});
/** Slower down than up, as `sinter endpointd` does it too. */
const behavior = {
  scaleUp: { stabilizationWindowSeconds: 0 },
  scaleDown: { stabilizationWindowSeconds: 300 },
};
const autoscaler = (o: ExportOptions): IHorizontalPodAutoscaler => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: metadata(o),
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: o.name },
    minReplicas: o.min,
    maxReplicas: o.max,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: CPU_SHARE } } }],
    behavior,
  },
});
/** KEDA divides the answer of the query by the threshold: that many replicas. */
const scaledObject = (o: ExportOptions, rps: number): IScaledObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: metadata(o),
  spec: {
    scaleTargetRef: { name: o.name },
    minReplicaCount: o.min,
    maxReplicaCount: o.max,
    pollingInterval: 15,
    advanced: { horizontalPodAutoscalerConfig: { behavior } },
    triggers: [
      {
        type: 'prometheus',
        metricType: 'AverageValue',
        metadata: {
          serverAddress: o.prometheus,
          query: `sum(rate(nv_inference_request_success{app_kubernetes_io_name="${o.name}"}[1m]))`,
          threshold: String(rps),
        },
      },
    ],
  },
});

interface Scaler {
  readonly file: string;
  readonly document: IHorizontalPodAutoscaler | IScaledObject;
  readonly about: string;
}
function folder(b: ExportedBundle, o: ExportOptions, scaler: Scaler): ExportFiles {
  const resources = new Map<string, unknown>([
    ['deployment.yaml', deployment(b, o)],
    ['service.yaml', service(o)],
    ['disruption.yaml', disruption(o)],
    [scaler.file, scaler.document],
  ]);
  const image = [...imageFiles(b, { model: true })].map(([name, data]) => [`image/${name}`, data] as const);
  return new Map<string, Uint8Array | string>([
    ...image,
    ...[...resources].map(([name, document]) => [name, yaml(document)] as const),
    [
      'kustomization.yaml',
      yaml({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: [...resources.keys()] }),
    ],
    [
      'README.md',
      readme(
        `${o.name} on Kubernetes`,
        `image/ is the image with the model in it. Build it and put it where the cluster finds it, as ${o.image}:`,
        { commands: buildCommands(b, o.image, 'image') },
        'Start it, and ask it once:',
        {
          commands: `kubectl apply --kustomize .
kubectl rollout status deployment/${o.name}
kubectl port-forward service/${o.name} 8080:80 &
curl http://127.0.0.1:8080/v2/models`,
        },
        scaler.about,
        'An update is a new tag of the image: change deployment.yaml and apply again. Old pods go when new ones have answered their golden rows rightly.',
      ),
    ],
  ]);
}
export const kubernetes: ExportTarget = {
  about: 'a Deployment, scaled by processor time (HorizontalPodAutoscaler)',
  names: DNS_LABEL,
  image: true,
  files: (b, o) =>
    folder(b, o, {
      file: 'autoscaler.yaml',
      document: autoscaler(o),
      about: `autoscaler.yaml keeps ${o.min} to ${o.max} pods at ${CPU_SHARE} % of their processors; it needs metrics-server in the cluster.`,
    }),
};
export const keda: ExportTarget = {
  about: 'a Deployment, scaled by its rate of requests (ScaledObject on Prometheus)',
  names: DNS_LABEL,
  image: true,
  files: (b, o) => {
    const { rps } = o;
    if (rps === undefined)
      throw new ExportError(
        'KEDA scales by the rate of requests: give what a pod should get with --rps (`sinter loadtest` finds it)',
      );
    return folder(b, o, {
      file: 'scaledobject.yaml',
      document: scaledObject(o, rps),
      about: `scaledobject.yaml keeps ${o.min} to ${o.max} pods, one for each ${rps} requests a second. It needs KEDA in the cluster and a Prometheus at ${o.prometheus} that scrapes annotated pods and keeps their labels.`,
    });
  },
};
