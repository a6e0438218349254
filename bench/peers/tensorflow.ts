import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import { readBytes, writeFile } from '../../compiler/host/files.ts';
import { findPackage } from '../../compiler/host/packages.ts';
import { openLiteRt } from '../../compiler/reference/litert.ts';
import { renamed } from '../../compiler/reference/names.ts';
import { openInPython, pythonProgram, type PythonFramework } from '../../compiler/reference/python.ts';
import { findFramework, howToGet, pythonModel, unsuited, type TfReference } from '../../compiler/reference/tensorflow.ts';
import { openTfjs } from '../../compiler/reference/tfjs.ts';
import { nodeColdStart } from '../engine/cold-start.ts';
import type { ColdStart, Found, Peer, PeerContext, Runner } from '../engine/runner.ts';
import { ownUrl } from '../engine/self.ts';
import { timedOver } from '../engine/turns.ts';

/** How a framework of TensorFlow's family opens a model and starts afresh. */
interface Ways {
  /** Files of its code; undefined: those that it tells itself. */
  readonly code?: () => readonly string[];
  open(c: PeerContext): Promise<Runner>;
  coldStart(c: PeerContext, inputs: string, work: string): ColdStart;
}
const peer = (name: TfReference, ways: Ways): Peer => ({
  name,
  find: async (c): Promise<Found> => {
    const why = unsuited(name, { format: c.format, file: c.model });
    if (why !== undefined) return { k: 'unsuited', why };
    const found = await findFramework(name, c.python);
    if (!found) return { k: 'missing', how: howToGet(name, c.python) };
    return {
      k: 'found',
      version: found.version,
      code: ways.code?.() ?? found.code,
      open: () => ways.open(c),
      coldStart: (inputs, work) => ways.coldStart(c, inputs, work),
    };
  },
});
type Session = NonNullable<Awaited<ReturnType<typeof openLiteRt>>>;
const inNode = (s: Session | undefined, name: string): Runner => {
  const model = must(s, name);
  return {
    turn: feeds => timedOver(feeds.map(f => model.prepare(f))),
    answer: feed => model.run(feed),
    close: () => Promise.resolve().then(() => model.close()),
  };
};
const filesIn = (name: string, folder: string, wanted: RegExp): string[] => {
  const dir = join(findPackage(name)?.dir ?? '', folder);
  return existsSync(dir) ? readdirSync(dir).flatMap(f => (wanted.test(f) ? [join(dir, f)] : [])) : [];
};
/** Where relaxed SIMD is missing, LiteRT.js takes its `compat` files. */
const RELAXED = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2,
  11,
]);

const litertJs = peer('litert-js', {
  code: () => {
    const kind = WebAssembly.validate(RELAXED) ? /^litert_wasm_internal\./ : /^litert_wasm_compat_internal\./;
    return [...filesIn('@litertjs/core', 'wasm', kind), ...filesIn('@litertjs/core', 'dist', /^index\.js$/)];
  },
  open: async c => inNode(await openLiteRt(readBytes(c.model), c, c.threads), 'LiteRT.js'),
  coldStart: (c, inputs, work) =>
    nodeColdStart(work, { k: 'framework', framework: 'litert-js', module: moduleOf('litert'), inputs, ...asked(c) }),
});
const tfjsWasm = peer('tfjs-wasm', {
  code: () => [
    ...filesIn('@tensorflow/tfjs', 'dist', /^tf\.min\.js$/),
    ...filesIn('@tensorflow/tfjs-backend-wasm', 'dist', /^tf-backend-wasm\.min\.js$/),
    ...filesIn('@tensorflow/tfjs-backend-wasm', 'wasm-out', /-wasm-simd\.wasm$/),
  ],
  open: async c => inNode(await openTfjs(c.model, c), 'TensorFlow.js'),
  coldStart: (c, inputs, work) =>
    nodeColdStart(work, { k: 'framework', framework: 'tfjs-wasm', module: moduleOf('tfjs'), inputs, ...asked(c) }),
});
const asked = (
  c: PeerContext,
): { model: string; names: { inputs: readonly string[]; outputs: readonly string[] }; threads: number } => ({
  model: c.model,
  names: { inputs: c.inputs, outputs: c.outputs },
  threads: c.threads,
});
const moduleOf = (name: string): string => ownUrl(`../../compiler/reference/${name}`);
const inPython = (name: TfReference, framework: PythonFramework): Peer =>
  peer(name, {
    open: async c => {
      const s = await openInPython(framework, c.python, pythonModel({ ...c, file: c.model }, c, c.threads));
      return {
        turn: async feeds => {
          await s.give(feeds);
          return { sample: calls => s.sample(calls) };
        },
        answer: async feed => {
          await s.give([feed]);
          return renamed(await s.answer(), c.outputs);
        },
        close: () => Promise.resolve().then(() => s.close()),
      };
    },
    coldStart: (c, inputs, work) => {
      const script = join(work, `${framework}.py`);
      const start = (args: readonly string[]): { command: string; args: readonly string[] } => {
        const [, program = '', ...rest] = args;
        writeFile(script, program);
        return { command: c.python, args: [script, ...rest] };
      };
      const model = pythonModel({ ...c, file: c.model }, c, c.threads);
      return {
        ...start([...pythonProgram(framework, 'cold-start', model), inputs]),
        idle: start(pythonProgram(framework, 'idle')),
      };
    },
  });

/** The peers that run models of TensorFlow's family. */
export const tensorflowPeers: Readonly<Record<TfReference, Peer>> = {
  'litert-js': litertJs,
  'tfjs-wasm': tfjsWasm,
  'litert-python': inPython('litert-python', 'litert'),
  'tensorflow-python': inPython('tensorflow-python', 'tensorflow'),
};
