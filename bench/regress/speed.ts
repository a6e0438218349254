import { fail } from '../../compiler/core/diagnostic.ts';
import { bench, DEFAULTS, machine, type BenchOptions } from '../engine/bench.ts';
import { suiteCase } from '../suite/cases.ts';
import type { SuiteModel, SuiteTarget } from '../suite/suite.ts';
import type { Range, Speed } from './baseline.ts';

const digits = (x: number): number => Number(x.toPrecision(4));

/**
 * Times a model of a suite against its peers and the calibration loop, as `sinter bench` does. A peer that is missing or stops is none of
 * the ratios. E502 where the model itself does not run.
 */
export async function measureSpeed(
  m: SuiteModel,
  target: SuiteTarget,
  o: Pick<BenchOptions, 'rounds' | 'seconds' | 'processes'>,
): Promise<{ readonly sha256: string; readonly speed: Speed }> {
  const { rounds, seconds, processes } = o;
  const { cases } = await bench([suiteCase(m, target, DEFAULTS.seed)], { rounds, seconds, processes, coldStarts: 0 });
  const outcome = cases[0]?.outcome;
  if (outcome?.k !== 'done') return fail('E502', { why: outcome?.message ?? 'nothing was measured' });
  const runs = Object.fromEntries(
    outcome.runs.map(r => [
      r.label,
      Object.fromEntries(
        r.ratios.map((x): [string, Range] => [x.to, { median: digits(x.median), lo: digits(x.lo), hi: digits(x.hi) }]),
      ),
    ]),
  );
  const loop = outcome.runs[0]?.calibration.median;
  const compile = outcome.compileMs !== undefined && loop !== undefined ? { compile: digits(outcome.compileMs / loop) } : {};
  const { cpu, engine } = machine();
  return { sha256: outcome.sha256 ?? '', speed: { machine: `${cpu}, ${engine}`, ...compile, runs } };
}
