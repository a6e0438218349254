import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import { writeFile } from '../../compiler/host/files.ts';
import type { BenchBrowser } from './browser.ts';
import type { RunInputs } from './case.ts';
import { measureApart } from './children.ts';
import type { Measured, MeasureRequest, Message } from './request.ts';
import type { OperatorTimes, PeerName, Ratio, Run, RuntimeName } from './result.ts';
import { ratioOf, spreadOf } from './statistics.ts';
import type { Samples } from './turns.ts';

/** What all processes of a case told. */
interface Told {
  /** Why ours cannot be measured. */
  readonly broken?: string;
  readonly profile: string;
  readonly operatorTimes: readonly OperatorTimes[];
  readonly failed: ReadonlyMap<PeerName, string>;
  /** By run, then by process. */
  readonly runs: readonly (readonly Measured[])[];
  readonly failures: readonly (readonly { readonly name: PeerName; readonly message: string }[])[];
}
/** Measures the same in several processes, one after the other. Where a peer ends its process, that process is begun again without it. */
export async function measureInProcesses(
  request: MeasureRequest,
  processes: number,
  work: string,
  doing: (what: string) => void,
  browser: BenchBrowser | undefined,
): Promise<Told> {
  const failed = new Map<PeerName, string>();
  const runs: Measured[][] = request.runs.map(() => []);
  const failures = request.runs.map(() => new Map<PeerName, string>());
  const operatorTimes: OperatorTimes[] = [];
  let profile = '';
  const told = (broken?: string): Told => ({
    ...(broken !== undefined && { broken }),
    profile,
    operatorTimes,
    failed,
    runs,
    failures: failures.map(f => [...f].map(([name, message]) => ({ name, message }))),
  });
  const file = join(work, 'request.json');
  for (let p = 0; p < processes;) {
    const peers = request.peers.filter(n => !failed.has(n));
    const part: MeasureRequest = { ...request, peers, operators: request.operators && p === 0 };
    const now = new Map<number, Measured>();
    const hear = (m: Message): void => {
      switch (m.k) {
        case 'at':
          if (m.doing !== 'running') doing(`${m.who}: ${m.doing}`);
          break;
        case 'round':
          doing(
            `${request.runs[m.run]?.label ?? ''}, round ${p * request.rounds + m.round + 1} of ${processes * request.rounds}`,
          );
          break;
        case 'opened':
          ({ profile } = m);
          break;
        case 'failed':
          if (m.run === undefined) failed.set(m.who, m.message);
          else failures[m.run]?.set(m.who, m.message);
          break;
        case 'measured':
          now.set(m.run, m);
          break;
        case 'operators':
          operatorTimes.push(m.times);
          break;
        case 'done':
        case 'broken':
          break;
      }
    };
    writeFile(file, JSON.stringify(part));
    const ended = await (browser ? browser.measure(part, hear) : measureApart(file, hear));
    if (ended.k === 'died' && ended.who !== 'sinter') {
      failed.set(ended.who, ended.message);
      continue;
    }
    if (ended.k !== 'done') return told(ended.k === 'died' ? `the bundle ${ended.message}` : ended.message);
    for (const [i, m] of now) runs[i]?.push(m);
    p++;
  }
  return told();
}

/** One run from its samples in several processes. Who did not come through all of them is left out. */
export function runOf(r: RunInputs, processes: readonly Measured[], failures: Run['failures']): Run {
  const of = (name: RuntimeName): Samples[] => processes.flatMap(p => p.times.flatMap(t => (t.name === name ? [t.samples] : [])));
  const names = (processes[0]?.times ?? []).map(t => t.name).filter(n => of(n).length === processes.length);
  const ours = of('sinter');
  const ratio = (to: Ratio['to'], theirs: readonly Samples[]): Ratio =>
    ratioOf(
      to,
      ours.map((s, i) => ({ ours: s.ms, theirs: theirs[i]?.ms ?? [] })),
    );
  const calibrations = processes.map(p => p.calibration);
  return {
    label: r.label,
    inputs: Object.fromEntries([...must(r.feeds[0], 'feed')].map(([name, t]) => [name, t.dims])),
    times: names.map(name => ({
      name,
      calls: of(name)[0]?.calls ?? 1,
      ...spreadOf(of(name).flatMap(s => s.ms)),
    })),
    calibration: spreadOf(calibrations.flatMap(s => s.ms)),
    ratios: [...names.flatMap(n => (n === 'sinter' ? [] : [ratio(n, of(n))])), ratio('calibration', calibrations)],
    differences: processes[0]?.differences.filter(d => names.includes(d.to)) ?? [],
    failures,
  };
}
