import type { BenchResult, PeerName, Ratio, RuntimeName } from '../index.ts';

/** The figures of a result that bench/RESULTS.md and README.md show, small enough to be kept beside them: bench/suites/results.json. */
export interface Figures extends Pick<BenchResult, 'sinter' | 'date' | 'command' | 'machine' | 'settings'> {
  /** The version of the code that was measured, as git knows it. */
  readonly commit: string;
  /** What a reader must know of the circumstances; empty: nothing. */
  readonly note: string;
  /** Versions of the peers, and bytes of their code. */
  readonly peers: readonly { readonly name: PeerName; readonly version: string; readonly code: number }[];
  readonly rows: readonly Row[];
}
/** One run of one model. */
export interface Row {
  readonly model: string;
  readonly target: string;
  readonly input: string;
  /** Bytes of the bundle's code, without weights in a file of their own. */
  readonly code: number;
  /** The median of a call. */
  readonly ms: number;
  /** The first answer of a fresh process, where that was measured, and the whole compilation. */
  readonly start?: number;
  readonly compileMs?: number;
  readonly peers: readonly RowPeer[];
}
export interface RowPeer extends Pick<Ratio, 'median' | 'lo' | 'hi'> {
  readonly name: PeerName;
  readonly ms: number;
  readonly start?: number;
  /** The largest difference of an answer as a part of the largest value of its output; null where answers cannot be compared. */
  readonly differs: number | null;
}

const digits = (x: number, n: number): number => Number(x.toPrecision(n));

/** What a result says of the cases that ran; cases and peers that failed are left out. */
export function figuresOf(r: BenchResult, commit: string, note: string): Figures {
  const { sinter, date, command, machine, settings } = r;
  const peers = new Map<PeerName, Figures['peers'][number]>();
  const rows = r.cases.flatMap(({ name: model, target, outcome }): Row[] => {
    if (outcome.k === 'failed') return [];
    for (const x of outcome.runtimes)
      if (x.k === 'ran' && x.name !== 'sinter')
        peers.set(x.name, { name: x.name, version: x.version, code: x.size?.code.disk ?? 0 });
    const [ours] = outcome.runtimes;
    const started = (name: RuntimeName): { start?: number } => {
      const x = outcome.runtimes.find(r => r.name === name);
      return x?.k === 'ran' && x.coldStart ? { start: digits(x.coldStart.median, 3) } : {};
    };
    const starts = 'start' in started('sinter');
    const code = ours?.k === 'ran' ? (ours.size?.code.disk ?? 0) : 0;
    return outcome.runs.map(run => ({
      model,
      target,
      input: run.label,
      code,
      ms: digits(run.times[0]?.median ?? NaN, 4),
      ...started('sinter'),
      ...(outcome.compileMs !== undefined && starts && { compileMs: Math.round(outcome.compileMs) }),
      peers: run.ratios.flatMap(({ to, median, lo, hi }): RowPeer[] => {
        if (to === 'calibration') return [];
        const time = run.times.find(t => t.name === to);
        const apart = run.differences.find(d => d.to === to)?.outputs.map(o => o.relative ?? Infinity) ?? [];
        const differs = Math.max(0, ...apart);
        return [
          {
            name: to,
            ms: digits(time?.median ?? NaN, 4),
            median: digits(median, 3),
            lo: digits(lo, 3),
            hi: digits(hi, 3),
            ...started(to),
            differs: differs === Infinity ? null : digits(differs, 2),
          },
        ];
      }),
    }));
  });
  return { sinter, date, commit, note, command, machine, settings, peers: [...peers.values()], rows };
}
/** As JSON, one line a row. */
export function figuresText({ rows, ...head }: Figures): string {
  const lines = rows.map(r => `    ${JSON.stringify(r)}`).join(',\n');
  return `${JSON.stringify(head, null, 2).replace(/\n\}$/, '')},\n  "rows": [\n${lines}\n  ]\n}\n`;
}
