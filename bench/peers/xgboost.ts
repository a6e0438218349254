import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { temporaryFolder, writeFile } from '../../compiler/host/files.ts';
import { writeFeeds, type Feed } from '../engine/request.ts';
import { talk, type Talk } from './talk.ts';
import type { Found, Peer, PeerContext } from '../engine/runner.ts';

/**
 * XGBoost in Python, asked line by line: JSON comes in, JSON goes out. `inplace_predict` takes an array as it is, which is its fastest way.
 * Asked with a file of inputs, it answers once and tells time and memory.
 */
const DRIVER = `import time
start = time.perf_counter()
import json, os, sys, resource
def say(x):
    sys.stdout.write(json.dumps(x) + "\\n")
    sys.stdout.flush()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
if sys.argv[1] == "idle":
    say({"ms": 0, "rss": peak()})
    sys.exit()
import numpy as np
import xgboost
if sys.argv[1] == "about":
    lib = os.path.join(os.path.dirname(xgboost.__file__), "lib")
    say({"version": xgboost.__version__, "code": [os.path.join(lib, f) for f in sorted(os.listdir(lib))]})
    sys.exit()
def load():
    b = xgboost.Booster(model_file=sys.argv[2])
    b.set_param({"nthread": int(sys.argv[3])})
    return b
def rows(port, feeds):
    return np.fromfile(port["file"], np.float32).reshape([feeds] + port["dims"])
if sys.argv[1] == "first":
    x = rows(json.load(open(sys.argv[4]))[0], 1)[0]
    load().inplace_predict(x)
    say({"ms": (time.perf_counter() - start) * 1e3, "rss": peak()})
    sys.exit()
booster = load()
say({})
feeds, at = [], 0
for line in sys.stdin:
    q = json.loads(line)
    if "feeds" in q:
        feeds, at = list(rows(q["inputs"][0], q["feeds"])), 0
        say({})
    elif "calls" in q:
        start = time.perf_counter()
        for _ in range(q["calls"]):
            booster.inplace_predict(feeds[at % len(feeds)])
            at += 1
        say({"ms": (time.perf_counter() - start) * 1e3})
    else:
        y = np.ascontiguousarray(booster.inplace_predict(feeds[0]), np.float32)
        y.tofile(q["answer"])
        say({"dims": list(y.shape)})
`;
const start = (c: PeerContext, ...args: readonly string[]): Talk =>
  talk(c.python, ['-c', DRIVER, ...args], { OMP_NUM_THREADS: String(c.threads) });
const parse = (line: string): Reply => JSON.parse(line) as Reply;
interface Reply {
  readonly ms?: number;
  readonly dims?: readonly number[];
  readonly version?: string;
  readonly code?: readonly string[];
}

/** XGBoost's own predictor, of the Python package. */
export const xgboostPython: Peer = {
  name: 'xgboost-python',
  find: async (c): Promise<Found> => {
    if (c.format !== 'xgboost') return { k: 'unsuited', why: 'it runs models of XGBoost only' };
    const about = await start(c, 'about')
      .hear()
      .then(parse)
      .catch(() => undefined);
    if (about?.version === undefined)
      return { k: 'missing', how: `pip install xgboost, for the Python that --python names (now ${c.python})` };
    const model = [c.model, String(c.threads)];
    return {
      k: 'found',
      version: about.version,
      code: about.code ?? [],
      open: async () => {
        const work = temporaryFolder();
        const python = start(c, 'serve', ...model);
        await python.hear();
        const ask = async (question: object): Promise<Reply> => parse(await python.ask(JSON.stringify(question)));
        const give = (feeds: readonly Feed[]): Promise<Reply> => ask(writeFeeds(join(work, 'rows'), '', feeds));
        return {
          turn: async feeds => {
            await give(feeds);
            return { sample: async calls => must((await ask({ calls })).ms) };
          },
          answer: async feed => {
            await give([feed]);
            const answer = join(work, 'answer.bin');
            const { dims = [] } = await ask({ answer });
            const t: Tensor = { dtype: 'f32', dims, bytes: Uint8Array.from(readFileSync(answer)) };
            return new Map([['prediction', t]]);
          },
          close: () => {
            python.end();
            rmSync(work, { recursive: true, force: true });
            return Promise.resolve();
          },
        };
      },
      coldStart: (feeds, work) => {
        const script = join(work, 'first-xgboost.py');
        writeFile(script, DRIVER);
        return {
          command: c.python,
          args: [script, 'first', ...model, feeds],
          idle: { command: c.python, args: [script, 'idle'] },
        };
      },
    };
  },
};
