import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { compare, divergence } from '../../compiler/verify/compare.ts';
import type { Feed } from '../../compiler/run/feeds.ts';
import type { MeasureRequest, Message } from './request.ts';
import type { AccuracyDifference, RuntimeName, PeerName } from './result.ts';
import type { Runner } from './runner.ts';
import { calibration, takeTurns, type Turn } from './turns.ts';

/** Answers are compared on as many of the inputs of a run. */
const COMPARED = 4;

/** Where a process, or a page, says what goes on in it. */
interface Report {
  readonly say: (m: Message) => void;
  /** Tells who is at work from now on, where that changes. */
  readonly at: (who: RuntimeName, doing: string) => void;
}
export function reportTo(say: (m: Message) => void): Report {
  let before = '';
  return {
    say,
    at: (who, doing) => {
      if (before !== `${who} ${doing}`) say({ k: 'at', who, doing });
      before = `${who} ${doing}`;
    },
  };
}
export const reason = (e: unknown): string => (e instanceof Error ? e.message : String(e));
class PeerStops extends Error {
  readonly who: PeerName;
  constructor(who: PeerName, cause: unknown) {
    super(reason(cause));
    this.who = who;
  }
}

/** Measures one run: answers are compared, then everybody takes turns. Nothing here needs Node: it runs in pages, too. */
export async function measureRun(
  { say, at }: Report,
  request: Pick<MeasureRequest, 'rounds' | 'seconds' | 'sampleMs' | 'warmMs'>,
  run: number,
  feeds: readonly Feed[],
  ours: Runner,
  peers: ReadonlyMap<PeerName, Runner>,
): Promise<void> {
  const compared = feeds.slice(0, COMPARED);
  at('sinter', 'answering');
  const mine = await answers(ours, compared);
  const differences: AccuracyDifference[] = [];
  const able = new Map<PeerName, Runner>();
  for (const [name, peer] of peers) {
    at(name, 'answering');
    try {
      differences.push(difference(name, mine, await answers(peer, compared)));
      able.set(name, peer);
    } catch (e) {
      say({ k: 'failed', who: name, message: reason(e), run });
    }
  }
  // Who stops in the middle is left out, and the others begin again.
  for (;;)
    try {
      const names = [...able.keys()];
      const turns = [blamed(at, 'sinter', await ours.turn(feeds))];
      for (const [name, peer] of able) turns.push(blamed(at, name, await peer.turn(feeds)));
      const samples = await takeTurns([...turns, calibration()], {
        ...request,
        onRound: round => say({ k: 'round', run, round }),
      });
      const times = (['sinter', ...names] as const).map((name, i) => ({ name, samples: must(samples[i]) }));
      say({
        k: 'measured',
        run,
        times,
        calibration: must(samples.at(-1)),
        differences: differences.filter(d => able.has(d.to)),
      });
      return;
    } catch (e) {
      if (!(e instanceof PeerStops) || !able.delete(e.who)) throw e;
      say({ k: 'failed', who: e.who, message: e.message, run });
    }
}
async function answers(r: Runner, feeds: readonly Feed[]): Promise<ReadonlyMap<string, Tensor>[]> {
  const out: ReadonlyMap<string, Tensor>[] = [];
  for (const f of feeds) out.push(await r.answer(f));
  return out;
}
/** A turn that is told of before it is taken, so that a process that ends is known by who ended it. */
function blamed(at: Report['at'], who: RuntimeName, t: Turn): Turn {
  return {
    sample: async calls => {
      at(who, 'running');
      try {
        return await t.sample(calls);
      } catch (e) {
        throw who === 'sinter' ? e : new PeerStops(who, e);
      }
    },
  };
}

/** The worst differences of each output; those that only one side has are left out. */
function difference(
  to: PeerName,
  mine: readonly ReadonlyMap<string, Tensor>[],
  theirs: readonly ReadonlyMap<string, Tensor>[],
): AccuracyDifference {
  const worst = new Map<string, { abs: number; relative: number }>();
  theirs.forEach((answer, i) => {
    for (const [name, given] of answer) {
      const got = mine[i]?.get(name);
      if (!got) continue;
      // XGBoost leaves out an axis of 1.
      const want = given.bytes.length === got.bytes.length && given.dtype === got.dtype ? { ...given, dims: got.dims } : given;
      const { abs } = compare(got, want, { rtol: 0, atol: 0 });
      const had = worst.get(name);
      worst.set(name, {
        abs: Math.max(abs, had?.abs ?? 0),
        relative: Math.max(abs === Infinity ? Infinity : divergence(got, want), had?.relative ?? 0),
      });
    }
  });
  const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
  return { to, outputs: [...worst].map(([name, d]) => ({ name, abs: finite(d.abs), relative: finite(d.relative) })) };
}
