// The operations that endpointd serves, by service and name.
import type { Jobs } from '../jobs.ts';
import type { Metrics } from '../metrics.ts';
import type { Registry } from '../registry.ts';
import type { Operations } from '../server.ts';
import * as watch from './cloudwatch.ts';
import * as endpoints from './endpoints.ts';
import * as jobs from './jobs.ts';
import * as models from './models.ts';
import * as scaling from './scaling.ts';
import * as tags from './tags.ts';

export interface Plane {
  readonly registry: Registry;
  readonly endpoints: endpoints.Endpoints;
  readonly metrics: Metrics;
  readonly jobs: Jobs;
  /** Is told of an alarm that is in ALARM. */
  readonly alarm: (name: string) => void;
}
export function operations({ registry: r, endpoints: to, metrics: m, jobs: j, alarm }: Plane): Operations {
  /** Operations that need the registry only. */
  const on =
    <I, C, O extends object>(run: (r: Registry, i: I, c: C) => O) =>
    (i: I, c: C): O =>
      run(r, i, c);
  const at =
    <X, I, C, O extends object>(x: X, run: (r: Registry, x: X, i: I, c: C) => O) =>
    (i: I, c: C): O =>
      run(r, x, i, c);
  return {
    sagemaker: {
      CreateModel: on(models.createModel),
      DescribeModel: on(models.describeModel),
      ListModels: on(models.listModels),
      DeleteModel: on(models.deleteModel),
      CreateEndpointConfig: on(models.createEndpointConfig),
      DescribeEndpointConfig: on(models.describeEndpointConfig),
      ListEndpointConfigs: on(models.listEndpointConfigs),
      DeleteEndpointConfig: on(models.deleteEndpointConfig),
      CreateEndpoint: at(to, endpoints.createEndpoint),
      DescribeEndpoint: on(endpoints.describeEndpoint),
      ListEndpoints: on(endpoints.listEndpoints),
      UpdateEndpoint: at(to, endpoints.updateEndpoint),
      UpdateEndpointWeightsAndCapacities: at(to, endpoints.updateWeightsAndCapacities),
      DeleteEndpoint: at(to, endpoints.deleteEndpoint),
      CreateCompilationJob: at(j, jobs.createCompilationJob),
      DescribeCompilationJob: on(jobs.describeCompilationJob),
      ListCompilationJobs: on(jobs.listCompilationJobs),
      StopCompilationJob: at(j, jobs.stopCompilationJob),
      DeleteCompilationJob: on(jobs.deleteCompilationJob),
      AddTags: on(tags.addTags),
      ListTags: on(tags.listTags),
      DeleteTags: on(tags.deleteTags),
    },
    'application-autoscaling': {
      RegisterScalableTarget: on(scaling.registerScalableTarget),
      DeregisterScalableTarget: on(scaling.deregisterScalableTarget),
      DescribeScalableTargets: on(scaling.describeScalableTargets),
      PutScalingPolicy: on(scaling.putScalingPolicy),
      DeleteScalingPolicy: on(scaling.deleteScalingPolicy),
      DescribeScalingPolicies: on(scaling.describeScalingPolicies),
      DescribeScalingActivities: on(scaling.describeScalingActivities),
    },
    cloudwatch: {
      PutMetricAlarm: on(watch.putMetricAlarm),
      DescribeAlarms: on(watch.describeAlarms),
      DeleteAlarms: on(watch.deleteAlarms),
      SetAlarmState: (i: Parameters<typeof watch.setAlarmState>[1], c) => watch.setAlarmState(r, i, c, alarm),
      PutMetricData: (i: Parameters<typeof watch.putMetricData>[1], c) => watch.putMetricData(m, i, c),
      GetMetricData: (i: Parameters<typeof watch.getMetricData>[1]) => watch.getMetricData(m, i),
      GetMetricStatistics: (i: Parameters<typeof watch.getMetricStatistics>[1]) => watch.getMetricStatistics(m, i),
      ListMetrics: (i: Parameters<typeof watch.listMetrics>[1]) => watch.listMetrics(m, i),
    },
  };
}
