import { describe, expect, it } from '@jest/globals';
import { geomean, quantile, ratioOf, spreadOf } from '../../bench/engine/statistics.ts';
import { takeTurns, type Turn } from '../../bench/engine/turns.ts';
import { random } from '../../compiler/data/random.ts';

describe('figures', () => {
  it('quantiles are those of NumPy and R', () => {
    // numpy.quantile([1, 2, 4, 8, 16], [0, 0.1, 0.25, 0.5, 0.9, 1])
    const got = [0, 0.1, 0.25, 0.5, 0.9, 1].map(q => quantile([1, 2, 4, 8, 16], q));
    [1, 1.4, 2, 4, 12.8, 16].forEach((want, i) => expect(got[i]).toBeCloseTo(want, 12));
    expect(spreadOf([16, 1, 8, 2, 4])).toEqual({ min: 1, median: 4, lo: 2, hi: 8, count: 5 });
    expect(spreadOf([3])).toEqual({ min: 3, median: 3, lo: 3, hi: 3, count: 1 });
    expect(geomean([1, 10, 100])).toBeCloseTo(10, 12);
  });
  it('ratios are those of each round, and their range holds the medians of all processes', () => {
    const even = { ours: [1, 1, 1], theirs: [2, 2, 2] };
    expect(ratioOf('onnxruntime-web', [even])).toEqual({ to: 'onnxruntime-web', median: 2, lo: 2, hi: 2, rounds: 3 });
    // A machine that is three times slower in one round is no news for the ratio.
    const slow = { ours: [1, 3, 1], theirs: [2, 6, 2] };
    expect(ratioOf('onnxruntime-web', [slow])).toMatchObject({ median: 2, lo: 2, hi: 2 });
    const apart = ratioOf('onnxruntime-web', [even, even, { ours: [1, 1, 1], theirs: [8, 8, 8] }]);
    expect(apart).toEqual({ to: 'onnxruntime-web', median: 2, lo: 1, hi: 16, rounds: 9 });
  });
  it('a noisy machine: a second run is within the range that the first one states', () => {
    const next = random(7);
    // Times with a heavy tail, a speed of the machine that drifts, and a process that may be slower as a whole.
    const processes = () =>
      Array.from({ length: 3 }, () => {
        const layout = 1 + 0.05 * next();
        const rounds = Array.from({ length: 25 }, (_, i) => {
          const machine = 1 + Math.sin(i / 5) / 2;
          const noise = () => machine * (1 + 0.1 * next() + (next() < 0.1 ? 3 * next() : 0));
          return [layout * noise(), 2 * noise()] as const;
        });
        return { ours: rounds.map(r => r[0]), theirs: rounds.map(r => r[1]) };
      });
    let outside = 0;
    for (let i = 0; i < 200; i++) {
      const { lo, hi } = ratioOf('onnxruntime-node', processes());
      const { median } = ratioOf('onnxruntime-node', processes());
      if (median < lo || median > hi) outside++;
    }
    expect(outside).toBeLessThanOrEqual(6);
  });
});

describe('turns', () => {
  it('are taken by everybody in each round, and short calls are repeated', async () => {
    const log: string[] = [];
    const turn = (name: string, ms: number): Turn => ({
      sample: calls => {
        log.push(`${name} ${calls}`);
        return ms * calls;
      },
    });
    const rounds: number[] = [];
    const [a, b] = await takeTurns([turn('a', 1), turn('b', 100)], {
      rounds: 3,
      seconds: 100,
      sampleMs: 4,
      warmMs: [1, 1],
      onRound: r => void rounds.push(r),
    });
    expect(log.slice(-6)).toEqual(['a 4', 'b 1', 'b 1', 'a 4', 'a 4', 'b 1']);
    expect(rounds).toEqual([0, 1, 2]);
    expect(a).toEqual({ calls: 4, ms: [1, 1, 1] });
    expect(b).toEqual({ calls: 1, ms: [100, 100, 100] });
  });
  it('end when the time is over, after three rounds', async () => {
    const [a] = await takeTurns([{ sample: () => 1 }], { rounds: 50, seconds: 0, sampleMs: 1, warmMs: [0, 0] });
    expect(a?.ms).toHaveLength(3);
  });
});
