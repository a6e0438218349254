/** Draws autoscaling.svg, a simulated day of the auto-scaler: npx tsx serving/docs/autoscaling.ts */
import * as Plot from '@observablehq/plot';
import { writeFileSync } from 'node:fs';
import { PERIOD } from '../control/autoscaler.ts';
import { DAY, dayTraffic, simulateDay, type Moment } from '../control/autoscaler-day.ts';
import { drawSvg } from '../loadtest/svg.ts';

const HOUR = 60 * PERIOD;
const maxRps = 50;
const safetyFactor = 0.5;
const { moments } = simulateDay({
  traffic: dayTraffic(30, 330),
  maxRps,
  safetyFactor,
  min: 2,
  max: 60,
  startup: 60_000,
  length: DAY,
});
/** A stepped line needs only the moments at which something changes. */
const changes = moments.filter((m, i) => m.instances !== moments[i - 1]?.instances || i === moments.length - 1);
const minutes = moments.filter(m => m.at % PERIOD === 0);
const load = { text: 'requests a second', colour: '#c8374c' };
const planned = { text: `what instances should get: ${safetyFactor} × ${maxRps} × instances`, colour: '#22658f' };
const most = { text: `what they can do: ${maxRps} × instances`, colour: '#7fb0cf' };
const line = (of: readonly Moment[], rps: (m: Moment) => number, colour: string, curve: Plot.CurveName): Plot.Markish =>
  Plot.lineY(of, { x: (m: Moment) => m.at / HOUR, y: rps, stroke: colour, strokeWidth: 1.5, curve });
const svg = drawSvg(
  {
    width: 960,
    height: 440,
    x: { label: 'hour of the simulated day', labelAnchor: 'center', labelArrow: 'none', domain: [0, 24], ticks: 12 },
    y: { label: null, grid: true, nice: true },
    marks: [
      Plot.ruleY([0]),
      line(changes, m => m.instances * maxRps, most.colour, 'step-after'),
      line(changes, m => m.instances * maxRps * safetyFactor, planned.colour, 'step-after'),
      line(minutes, m => m.rps, load.colour, 'linear'),
    ],
  },
  [load, planned, most],
);
writeFileSync(new URL('autoscaling.svg', import.meta.url), `${svg}\n`);
