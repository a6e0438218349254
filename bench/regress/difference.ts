import { showBytes } from '../../compiler/core/format.ts';
import type { Accuracy, OutputAccuracy, Range, Size, Speed, TargetBaseline } from './baseline.ts';

/** A figure that is not what it was. */
export interface Finding {
  readonly what: string;
  readonly before: string;
  readonly now: string;
  readonly worse: boolean;
}

const pair = (what: string, before: number, now: number, show: (x: number) => string): Finding[] =>
  now === before ? [] : [{ what, before: show(before), now: show(now), worse: !(now < before) }];
const rare = (x: number): string => (x === 0 ? '0' : x.toExponential(2));

/** What of a model's figures changed. Parts that only one side has are not compared. */
export function differences(before: TargetBaseline, now: TargetBaseline): Finding[] {
  return [
    ...(before.accuracy && now.accuracy ? ofAccuracy(before.accuracy, now.accuracy) : []),
    ...(before.size && now.size ? ofSize(before.size, now.size) : []),
    ...(before.speed && now.speed ? ofSpeed(before.speed, now.speed) : []),
  ];
}

function ofAccuracy(before: Accuracy, now: Accuracy): Finding[] {
  const out: Finding[] = [];
  if (before.reference !== now.reference || before.samples !== now.samples)
    out.push({
      what: 'compared with',
      before: `${before.reference}, ${before.samples} samples`,
      now: `${now.reference}, ${now.samples} samples`,
      worse: true,
    });
  for (const [name, b] of Object.entries(before.outputs)) {
    const n = now.outputs[name];
    if (n) out.push(...ofOutput(`'${name}'`, b, n));
    else out.push({ what: `output '${name}'`, before: 'there', now: 'gone', worse: true });
  }
  const [was, is] = [before.task, now.task];
  if (was && is && was.value !== is.value)
    out.push({
      what: is.what,
      before: showPart(was.value),
      now: showPart(is.value),
      // Of errors less is better, of everything else more.
      worse: /error/.test(is.what) ? is.value > was.value : is.value < was.value,
    });
  return out;
}
const showPart = (x: number): string => (x <= 1 ? `${(100 * x).toFixed(2)} %` : x.toPrecision(4));
function ofOutput(name: string, b: OutputAccuracy, n: OutputAccuracy): Finding[] {
  const out = [
    ...pair(`${name}: largest absolute difference`, b.abs, n.abs, rare),
    ...pair(`${name}: largest relative difference`, b.rel, n.rel, rare),
  ];
  const [was, is] = [b.classes, n.classes];
  if (was && (!is || is.same / is.rows < was.same / was.rows))
    out.push({
      what: `${name}: arg-max agrees`,
      before: `${was.same} of ${was.rows}`,
      now: is ? `${is.same} of ${is.rows}` : 'no distribution',
      worse: true,
    });
  return out;
}
function ofSize(before: Size, now: Size): Finding[] {
  const both = (x: number): string => `${showBytes(x)} (${x})`;
  return [
    ...pair('code', before.code, now.code, both),
    ...pair('code with gzip', before.gzip, now.gzip, both),
    ...pair('weights', before.weights, now.weights, both),
    ...pair('arena', before.arena, now.arena, both),
    ...(before.download === undefined || now.download === undefined
      ? []
      : pair('download over model', before.download, now.download, x => x.toFixed(2))),
  ];
}

/** A single compilation is measured: times that differ by less are noise. */
const COMPILE_NOISE = 1.5;
/**
 * Ratios differ where the ranges that their noise gives them do not meet, and where the medians are apart by more than those of two runs on
 * a quiet machine are. Times relative to the calibration loop are of one kind of processor.
 */
const LEAST = 1.05;
function ofSpeed(before: Speed, now: Speed): Finding[] {
  const out: Finding[] = [];
  const same = before.machine === now.machine;
  for (const [run, was] of Object.entries(before.runs))
    for (const [who, b] of Object.entries(was)) {
      const n = now.runs[run]?.[who];
      if (!n || (who === 'calibration' && !same)) continue;
      const slower = n.hi < b.lo && b.median / n.median > LEAST;
      const faster = n.lo > b.hi && n.median / b.median > LEAST;
      if (slower || faster)
        out.push({
          what: `${run}: time of ${who === 'calibration' ? 'the calibration loop' : who} over ours`,
          before: showRange(b),
          now: showRange(n),
          worse: slower,
        });
    }
  const [b, n] = [before.compile, now.compile];
  if (same && b !== undefined && n !== undefined && (n > COMPILE_NOISE * b || b > COMPILE_NOISE * n))
    out.push({
      what: 'time of compilation over the calibration loop',
      before: b.toPrecision(3),
      now: n.toPrecision(3),
      worse: n > b,
    });
  return out;
}
const showRange = (r: Range): string => `${r.median.toPrecision(3)} (${r.lo.toPrecision(3)} to ${r.hi.toPrecision(3)})`;
