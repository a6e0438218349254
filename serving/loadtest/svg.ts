import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** A line of the legend, in the colour of what it names. */
export interface Legend {
  readonly text: string;
  readonly colour: string;
}
const LINE = 18;
const PATH = / d="([^"]*)"/g;

/** A plot as the text of an SVG file, its legend above it. */
export function drawSvg(options: Plot.PlotOptions, legend: readonly Legend[]): string {
  const { document } = parseHTML('<!doctype html><body></body>');
  const above = legend.map(({ text, colour }, i) =>
    Plot.text([text], { frameAnchor: 'top-left', dy: (i - legend.length) * LINE, dx: 4, fill: colour, fontWeight: 'bold' }),
  );
  const svg = Plot.plot({
    document,
    marginTop: 14 + legend.length * LINE,
    marginLeft: 56,
    marginBottom: 40,
    style: { background: 'white', color: '#222', fontSize: '12px' },
    ...options,
    marks: [...(options.marks ?? []), ...above],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  // A tenth of a pixel is enough.
  return svg.outerHTML.replace(
    PATH,
    (_, d: string) => ` d="${d.replace(/\d+\.\d+/g, n => String(Math.round(Number(n) * 10) / 10))}"`,
  );
}
