import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { temporaryFolder, writeFile } from '../../compiler/host/files.ts';
import { writeFeeds, type Feed } from '../../compiler/run/feeds.ts';
import { XGBOOST_PY } from './programs.data.ts';
import { talk, type Talk } from '../../compiler/host/talk.ts';
import type { Found, Peer, PeerContext } from '../engine/runner.ts';

const start = (c: PeerContext, ...args: readonly string[]): Talk =>
  talk(c.python, ['-c', XGBOOST_PY, ...args], { OMP_NUM_THREADS: String(c.threads) });
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
        const script = join(work, 'xgboost.py');
        writeFile(script, XGBOOST_PY);
        return {
          command: c.python,
          args: [script, 'cold-start', ...model, feeds],
          idle: { command: c.python, args: [script, 'idle'] },
        };
      },
    };
  },
};
