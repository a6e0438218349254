import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../core/diagnostic.ts';
import { DTYPES, type DType } from '../core/dtype.ts';
import { numel, type Tensor } from '../core/tensor.ts';
import { temporaryFolder } from '../host/files.ts';
import { talk, type Talk } from '../host/talk.ts';
import { writeFeeds, type Feed } from '../run/feeds.ts';
import { FRAMEWORKS_PY } from './frameworks.data.ts';

/** Frameworks that are asked in Python: the packages ai-edge-litert and tensorflow. */
export type PythonFramework = 'litert' | 'tensorflow';
/** What a framework in Python is asked to open. */
export interface PythonModel {
  /** A file, or the folder of a SavedModel. */
  readonly model: string;
  /** The importer's name. */
  readonly format: string;
  readonly threads: number;
  /** The kernels of LiteRT. */
  readonly rounding?: 'xnnpack' | 'reference';
  readonly signature?: string;
  /** Names of inputs and outputs in order, where the file does not tell them. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}
interface Reply {
  /** What is wrong, in the framework's words. */
  readonly why?: string;
  readonly ms?: number;
  readonly version?: string;
  readonly code?: readonly string[];
  readonly outputs?: readonly { readonly name: string; readonly type: string; readonly dims: readonly number[] }[];
}
const parse = (line: string): Reply => {
  const reply = JSON.parse(line) as Reply;
  if (reply.why !== undefined) throw new Error(reply.why);
  return reply;
};
const start = (python: string, ...args: readonly string[]): Talk => talk(python, ['-c', FRAMEWORKS_PY, ...args]);

/** The version of a framework and the files of its code; undefined where the command has no such package. */
export async function findInPython(
  framework: PythonFramework,
  python: string,
): Promise<{ readonly version: string; readonly code: readonly string[] } | undefined> {
  const about = start(python, framework, 'about');
  const reply = await about
    .hear()
    .then(parse)
    .catch(() => undefined);
  about.end();
  return reply?.version === undefined ? undefined : { version: reply.version, code: reply.code ?? [] };
}
/** A model in a process of Python. Calls fail with the framework's reason, or where it ends its process. */
interface PythonSession {
  /** The inputs of the calls that follow. */
  give(feeds: readonly Feed[]): Promise<void>;
  /** Milliseconds of so many calls. */
  sample(calls: number): Promise<number>;
  /** Outputs of a call on the first of the inputs. */
  answer(): Promise<Map<string, Tensor>>;
  close(): void;
}
export async function openInPython(framework: PythonFramework, python: string, m: PythonModel): Promise<PythonSession> {
  const process = start(python, framework, 'serve', JSON.stringify(m));
  const work = temporaryFolder();
  const close = (): void => {
    process.end();
    rmSync(work, { recursive: true, force: true });
  };
  try {
    parse(await process.hear());
  } catch (e) {
    close();
    throw e;
  }
  const ask = async (question: object): Promise<Reply> => parse(await process.ask(JSON.stringify(question)));
  return {
    give: async feeds => {
      const files = writeFeeds(join(work, 'feeds'), '', feeds);
      await ask({ ...files, inputs: files.inputs.map(i => ({ ...i, type: DTYPES[i.dtype].ort })) });
    },
    sample: async calls => must((await ask({ calls })).ms),
    answer: async () => {
      const file = join(work, 'answer.bin');
      const { outputs = [] } = await ask({ answer: file });
      return tensorsIn(Uint8Array.from(readFileSync(file)), outputs);
    },
    close,
  };
}
const TYPES = new Map(Object.entries(DTYPES).map(([name, d]) => [d.ort as string, name as DType]));
/** Tensors one after the other; those of types that Sinter does not know are left out. */
function tensorsIn(all: Uint8Array, outputs: NonNullable<Reply['outputs']>): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  let at = 0;
  for (const { name, type, dims } of outputs) {
    const dtype = TYPES.get(type);
    if (dtype === undefined) break;
    const end = at + numel(dims) * DTYPES[dtype].bytes;
    out.set(name, { dtype, dims, bytes: all.slice(at, end) });
    at = end;
  }
  return out;
}
/** How a fresh process of Python answers once, given the file that lists its inputs. */
export const pythonProgram = (framework: PythonFramework, action: 'cold-start' | 'idle', m?: PythonModel): readonly string[] => [
  '-c',
  FRAMEWORKS_PY,
  framework,
  action,
  ...(m ? [JSON.stringify(m)] : []),
];
