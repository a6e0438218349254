// Compilation jobs.
import type {
  CreateCompilationJobRequest,
  CreateCompilationJobResponse,
  DeleteCompilationJobRequest,
  DescribeCompilationJobRequest,
  DescribeCompilationJobResponse,
  ListCompilationJobsRequest,
  ListCompilationJobsResponse,
  StopCompilationJobRequest,
} from '@aws-sdk/client-sagemaker';
import type { Checked } from '../../protocols/aws/check.ts';
import { AwsError, validation } from '../../protocols/aws/errors.ts';
import type { Jobs } from '../jobs.ts';
import type { JobRecord, Registry } from '../registry.ts';
import { arn, type Caller } from './caller.ts';
import { list } from './lists.ts';
import { omit } from '../omit.ts';

type In<T> = Checked<T>;
function find(r: Registry, name: string, c: Caller): JobRecord {
  const job = r.jobs.get(name);
  if (job === undefined) throw new AwsError('ResourceNotFound', `Could not find compilation job "${jobArn(c, name)}".`);
  return job;
}
const jobArn = (c: Caller, name: string): string => arn(c, `compilation-job/${name}`);
const ended = (j: JobRecord): boolean => j.status === 'COMPLETED' || j.status === 'FAILED' || j.status === 'STOPPED';

export function createCompilationJob(
  r: Registry,
  jobs: Jobs,
  i: In<CreateCompilationJobRequest>,
  c: Caller,
): CreateCompilationJobResponse {
  const id = jobArn(c, i.CompilationJobName);
  if (r.jobs.has(i.CompilationJobName)) throw new AwsError('ResourceInUse', `Compilation job "${id}" already exists.`);
  if (i.InputConfig === undefined) throw validation('InputConfig must be given; endpointd does not know model packages.');
  const { TargetDevice: device, TargetPlatform: platform } = i.OutputConfig;
  if ((device === undefined) === (platform === undefined))
    throw validation('Exactly one of TargetDevice and TargetPlatform must be given in OutputConfig.');
  if (i.Tags !== undefined) r.tags.put(id, i.Tags);
  r.jobs.put(i.CompilationJobName, { arn: id, created: c.now, modified: c.now, status: 'STARTING', input: i });
  jobs.start(i.CompilationJobName);
  return { CompilationJobArn: id };
}
export function describeCompilationJob(
  r: Registry,
  i: In<DescribeCompilationJobRequest>,
  c: Caller,
): DescribeCompilationJobResponse {
  const job = find(r, i.CompilationJobName, c);
  return {
    ...omit(job.input, 'Tags'),
    CompilationJobArn: job.arn,
    CompilationJobStatus: job.status,
    CreationTime: new Date(job.created),
    LastModifiedTime: new Date(job.modified),
    ...(job.started !== undefined && { CompilationStartTime: new Date(job.started) }),
    ...(job.ended !== undefined && { CompilationEndTime: new Date(job.ended) }),
    FailureReason: job.failure ?? '',
    ModelArtifacts: { S3ModelArtifacts: job.artifact ?? '' },
    ...(job.digest !== undefined && { ModelDigests: { ArtifactDigest: job.digest } }),
  } as DescribeCompilationJobResponse;
}
export function listCompilationJobs(r: Registry, i: In<ListCompilationJobsRequest>): ListCompilationJobsResponse {
  const all = [...r.jobs.entries()].map(([name, job]) => ({
    name,
    created: job.created,
    modified: job.modified,
    status: job.status,
    job,
  }));
  const { page, next } = list(
    all.filter(j => i.StatusEquals === undefined || j.status === i.StatusEquals),
    i,
  );
  return {
    CompilationJobSummaries: page.map(({ name, job }) => ({
      CompilationJobName: name,
      CompilationJobArn: job.arn,
      CreationTime: new Date(job.created),
      LastModifiedTime: new Date(job.modified),
      ...(job.started !== undefined && { CompilationStartTime: new Date(job.started) }),
      ...(job.ended !== undefined && { CompilationEndTime: new Date(job.ended) }),
      CompilationTargetDevice: job.input.OutputConfig.TargetDevice,
      CompilationTargetPlatformOs: job.input.OutputConfig.TargetPlatform?.Os,
      CompilationTargetPlatformArch: job.input.OutputConfig.TargetPlatform?.Arch,
      CompilationJobStatus: job.status,
    })),
    ...next,
  };
}
export function stopCompilationJob(r: Registry, jobs: Jobs, i: In<StopCompilationJobRequest>, c: Caller): object {
  if (ended(find(r, i.CompilationJobName, c))) throw validation(`Compilation job ${i.CompilationJobName} has ended already.`);
  jobs.stop(i.CompilationJobName);
  return {};
}
export function deleteCompilationJob(r: Registry, i: In<DeleteCompilationJobRequest>, c: Caller): object {
  const job = find(r, i.CompilationJobName, c);
  if (!ended(job)) throw new AwsError('ResourceInUse', `Compilation job ${i.CompilationJobName} is running; stop it first.`);
  r.tags.delete(job.arn);
  r.jobs.delete(i.CompilationJobName);
  return {};
}
