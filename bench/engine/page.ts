import { DTYPES, type DType, type TypedArray } from '../../compiler/core/dtype.ts';
import { fromTyped, numel, typed, type Tensor } from '../../compiler/core/tensor.ts';
import type { Feed } from '../../compiler/run/feeds.ts';
import type { MeasureRequest, Message } from './request.ts';
import { jsRunner, type JsModel } from './js-model.ts';
import { measureRun, reason, reportTo } from './measure.ts';
import type { PeerName } from './result.ts';
import type { Runner } from './runner.ts';
import { timedOver } from './turns.ts';

/** What a page measures; addresses instead of files. */
export interface PageRequest extends Pick<MeasureRequest, 'rounds' | 'seconds' | 'sampleMs' | 'warmMs' | 'threads' | 'runs'> {
  readonly outputs: readonly { readonly name: string; readonly dtype: DType }[];
  readonly bundle: string;
  /** Undefined: ours alone. */
  readonly ort: { readonly module: string; readonly folder: string; readonly model: string } | undefined;
}
interface Ort {
  readonly env: { readonly wasm: { numThreads: number; wasmPaths: string } };
  readonly Tensor: new (type: string, data: TypedArray, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: string, o: object): Promise<OrtSession> };
}
interface OrtTensor {
  readonly type: string;
  readonly data: TypedArray;
  readonly dims: readonly number[];
}
interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Record<string, OrtTensor>>;
}

/** The part of a measurement that a page of a browser does. */
export async function measureInPage(request: PageRequest, tell: (m: Message) => void): Promise<void> {
  // A message to the program that steers the browser takes time, so turns are not told one by one.
  const report = reportTo(m => {
    if (m.k !== 'at' || m.doing !== 'running') tell(m);
  });
  report.at('sinter', 'loading the bundle');
  const { load } = (await import(request.bundle)) as { readonly load: () => Promise<JsModel> };
  const ours = jsRunner(await load(), new Map(request.outputs.map(o => [o.name, o.dtype])));
  report.say({ k: 'opened', profile: ours.profile });
  const peers = new Map<PeerName, Runner>();
  if (request.ort) {
    report.at('onnxruntime-web', 'loading the model');
    try {
      peers.set('onnxruntime-web', await openPeer(request.ort, request.threads));
    } catch (e) {
      report.say({ k: 'failed', who: 'onnxruntime-web', message: reason(e) });
    }
  }
  for (const [i, run] of request.runs.entries()) await measureRun(report, request, i, await fetchFeeds(run), ours, peers);
}
async function openPeer(at: NonNullable<PageRequest['ort']>, threads: number): Promise<Runner> {
  const ort = (await import(at.module)) as Ort;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = at.folder;
  const session = await ort.InferenceSession.create(at.model, { executionProviders: ['wasm'], logSeverityLevel: 3 });
  const feedsOf = (f: Feed): Record<string, OrtTensor> =>
    Object.fromEntries([...f].map(([name, t]) => [name, new ort.Tensor(DTYPES[t.dtype].ort, typed(t), t.dims)]));
  const types = new Map(Object.entries(DTYPES).map(([name, d]) => [d.ort as string, name as DType]));
  return {
    turn: feeds =>
      timedOver(
        feeds.map(f => {
          const inputs = feedsOf(f);
          return () => session.run(inputs);
        }),
      ),
    answer: async feed => {
      const out = new Map<string, Tensor>();
      for (const [name, t] of Object.entries(await session.run(feedsOf(feed)))) {
        const dtype = types.get(t.type);
        if (dtype !== undefined) out.set(name, fromTyped(dtype, t.dims, t.data));
      }
      return out;
    },
    close: () => Promise.resolve(),
  };
}
async function fetchFeeds(run: MeasureRequest['runs'][number]): Promise<Feed[]> {
  const feeds = Array.from({ length: run.feeds }, () => new Map<string, Tensor>());
  for (const { name, dtype, dims, file } of run.inputs) {
    const all = new Uint8Array(await (await fetch(file)).arrayBuffer());
    const size = numel(dims) * DTYPES[dtype].bytes;
    feeds.forEach((feed, i) => feed.set(name, { dtype, dims, bytes: all.slice(i * size, (i + 1) * size) }));
  }
  return feeds;
}
