import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import type { Contract, ModelSpec } from '../core/call.ts';
import { messageOf } from '../core/errors.ts';
import { LIMITS, MiB } from '../core/limits.ts';
import { serve } from '../gateway/serve.ts';
import { discover } from '../store/discover.ts';
import { defaultCache } from '../store/cache.ts';
import { NATIVE_HELP, several, TRUST_HELP, trustOf, wholeIn } from './flags.ts';
import type { Terminal } from './index.ts';

/** Where SageMaker's container has its model. */
const CONTAINER_MODEL = '/opt/ml/model';
const CONTAINER_MODELS = '/opt/ml/models';

interface Flags {
  readonly host: string;
  readonly port?: number;
  readonly grpcPort?: number;
  readonly workers: number;
  readonly allowNative?: true;
  readonly trust?: readonly string[];
  readonly multiModel?: boolean | string;
  readonly image?: string;
  readonly dim?: Readonly<Record<string, number | { readonly min: number; readonly max: number }>>;
  readonly cache: string;
  readonly maxQueue: number;
  readonly maxBatch: number;
  readonly maxModels: number;
  readonly maxBody: number;
  readonly timeout: number;
  readonly logLevel: string;
}
function dim(value: string, before: Flags['dim'] = {}): NonNullable<Flags['dim']> {
  const [, name = '', lo = '', hi] = /^(.+)=(\d+)(?:\.\.(\d+))?$/.exec(value) ?? [];
  if (name === '') throw new InvalidArgumentError('must be NAME=N or NAME=A..B.');
  return { ...before, [name]: hi === undefined ? Number(lo) : { min: Number(lo), max: Number(hi) } };
}
/** Whose answers: an image of XGBoost by its name and tag. */
function contractOf(image: string | undefined): Contract {
  if (image === undefined || !/xgboost/i.test(image)) return { k: 'sinter' };
  return { k: 'xgboost', tag: /:([\w.-]+)$/.exec(image)?.[1] ?? 'latest' };
}
const AFTER = `
A model is a bundle of \`sinter compile\`, a trained model, an archive (.tar.gz) of either, a folder of several of them, or s3://BUCKET/KEY; NAME=PATH
gives it a name. Without one, ${CONTAINER_MODEL} is served, as SageMaker's containers do.

  POST /invocations, GET /ping           SageMaker's container: CSV, libsvm, RecordIO, JSON, .npy
  POST /v2/models/NAME/infer             Open Inference Protocol; gRPC with --grpc-port
  GET  /metrics                          Prometheus
  GET  /                                 a page to look at it and to try a model
`;

/** \`sinter serve\`: ends with 0 after SIGTERM or SIGINT, 1 where models cannot be loaded or the port not be had, 2 for wrong usage. */
export async function run(argv: readonly string[], t: Terminal): Promise<number> {
  const env = process.env;
  const port = env['SAGEMAKER_BIND_TO_PORT'];
  let code = 0;
  const program = new Command('sinter serve')
    .description('serve models over HTTP and gRPC')
    .argument('[models...]', 'what to serve')
    .option('--host <address>', 'address to listen on; 0.0.0.0 is every network of this machine', '127.0.0.1')
    .option('-p, --port <n>', 'port of HTTP; 0 is a free one', wholeIn(0, 65535), port === undefined ? 8080 : Number(port))
    .option('--grpc-port <n>', 'port of gRPC; 0 is a free one (default: no gRPC)', wholeIn(0, 65535))
    .option('-w, --workers <n>', 'processes that run models', wholeIn(1, 1024), Math.max(1, availableParallelism() - 1))
    .option('--trust <key>', TRUST_HELP, several)
    .option('--allow-native', NATIVE_HELP)
    .option('--multi-model [folder]', `let requests load models from a folder (default: ${CONTAINER_MODELS})`)
    .option('--image <name>', 'answer as this image of XGBoost does, such as sagemaker-xgboost:1.2-1')
    .option('-d, --dim <name=n|a..b>', 'the size of a free dimension of a trained model, or its range', dim)
    .option('--cache <folder>', 'where models that were compiled or fetched are kept', defaultCache())
    .option('--max-queue <n>', 'requests that may wait for each worker; more get 503 at once', wholeIn(1), 256)
    .option('--max-batch <n>', 'rows of one run', wholeIn(1, 1 << 20), 4096)
    .option('--max-models <n>', 'models that may be loaded at once', wholeIn(1), 10_000)
    .option('--max-body <MiB>', 'size of a body of /v2, also unfolded', wholeIn(1, 1023), LIMITS.bodyBytes / MiB)
    .option('--timeout <ms>', 'a request that takes longer gets 504', wholeIn(1), 60_000)
    .addOption(
      new Option('--log-level <level>', 'what is logged, as JSON')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addHelpText('after', AFTER)
    .exitOverride()
    .configureOutput({ writeOut: text => t.out(text), writeErr: text => t.err(text) })
    .action(async (models: string[], o: Flags) => {
      code = await start(models, o, env, t);
    });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
    t.err(`error: ${messageOf(e)}\n`);
    return 1;
  }
}
async function start(given: readonly string[], o: Flags, env: NodeJS.ProcessEnv, t: Terminal): Promise<number> {
  const multi = o.multiModel ?? (env['SAGEMAKER_MULTI_MODEL']?.toLowerCase() === 'true' ? true : undefined);
  const modelRoot = multi === undefined || multi === false ? undefined : multi === true ? CONTAINER_MODELS : multi;
  const models = await specsOf(given, o, modelRoot !== undefined);
  const own = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (name.startsWith('SAGEMAKER_') && value !== undefined ? [[name, value]] : [])),
  );
  const most = Number(env['MAX_CONTENT_LENGTH'] ?? LIMITS.invocationBytes);
  const logger = pino(
    { level: o.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: line => t.err(line) },
  );
  const server = await serve({
    models,
    host: o.host,
    port: o.port ?? 8080,
    grpcPort: o.grpcPort,
    workers: o.workers,
    trust: trustOf(o),
    contract: contractOf(o.image),
    env: { ...own, ...(modelRoot !== undefined && { SAGEMAKER_MULTI_MODEL: 'true' }) },
    dims: o.dim ?? {},
    cache: o.cache,
    maxQueue: o.maxQueue,
    maxBatch: o.maxBatch,
    maxModels: o.maxModels,
    timeout: o.timeout,
    modelRoot,
    limits: { bodyBytes: o.maxBody * MiB, requestTimeout: o.timeout, ...(most > 0 && { invocationBytes: most }) },
    logger,
  });
  const grpc = server.grpcPort === undefined ? '' : `, gRPC on port ${server.grpcPort}`;
  t.out(`listening on ${server.url}${grpc}\n`);
  return new Promise(resolve => {
    let failed = false;
    const end = (): void => {
      void server.close().then(() => resolve(failed ? 1 : 0));
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
    server.ready.then(
      () => t.out(`ready: ${models.map(m => m.name).join(', ') || 'no model yet'}\n`),
      (e: unknown) => {
        failed = true;
        t.err(`error: ${messageOf(e)}\n`);
        end();
      },
    );
  });
}
async function specsOf(given: readonly string[], o: Flags, none: boolean): Promise<readonly ModelSpec[]> {
  if (given.length === 0 && existsSync(CONTAINER_MODEL)) return [{ name: 'model', path: CONTAINER_MODEL }];
  if (given.length === 0 && !none) throw new Error('say what to serve: a bundle, a trained model, or a folder of them');
  const specs: ModelSpec[] = [];
  for (const argument of given) {
    const found = /^(?:[\w.-]+=)?s3:\/\//.test(argument)
      ? await (await import('../store/s3.ts')).fetchModels(argument, o.cache)
      : discover(argument);
    for (const spec of found) {
      if (specs.some(s => s.name === spec.name))
        throw new Error(`two models are called ${spec.name}; NAME=PATH gives another name`);
      specs.push(spec);
    }
  }
  return specs;
}
