import type { RowsOfFeatures } from '../../import/importer.ts';
import type { Port } from '../../program/program.ts';
import { showDim } from '../../core/dim.ts';
import { DTYPES } from '../../core/dtype.ts';
import { codeMarkdown, keyJs, quoteHtml, quoteJs, quoteMarkdown } from '../../core/quote.ts';
import type { Loader } from './loaders.ts';
import { RUNTIME } from './runtime.data.ts';

/** The page that tries the model. It has no script of its own (demo.js), so a strict Content-Security-Policy may stand. */
export const demoHtml = (name: string, about: string): string =>
  RUNTIME['demo.html'].replaceAll('{{name}}', () => quoteHtml(name)).replaceAll('{{about}}', () => quoteHtml(about));

/** Says that index.js is an ES module, whatever folder the bundle is put in; and makes the folder a package. */
export const packageJson = (name: string): string =>
  `${JSON.stringify(
    {
      name:
        name
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, '-')
          .replace(/^-+|-+$/g, '') || 'model',
      private: true,
      type: 'module',
      main: './index.js',
      types: './index.d.ts',
    },
    null,
    2,
  )}\n`;

/** How to load and run a bundle from JavaScript, as Markdown. */
export function usage(
  loader: Loader,
  inputs: readonly Port[],
  outputs: readonly Port[],
  rows: RowsOfFeatures | undefined,
): string {
  // A first and a second feature, to show how rows are written.
  const columns = (rows?.names ?? ['f0', 'f1']).slice(0, Math.min(2, rows?.columns ?? 0));
  const row = `{ ${columns.map(c => `${keyJs(c)}: 0.5`).join(', ')}${(rows?.columns ?? 0) > 2 ? ', /* … */' : ''} }`;
  const arg = (p: Port): string => `${keyJs(p.name)}: ${p.name === rows?.input ? `[${row}]` : '{ data, dims }'}`;
  const out = outputs[0] ? `out[${quoteJs(outputs[0].name)}].data` : 'out';
  return `\`\`\`js
import { load } from './index.js';
const model = await load();
const out = ${loader.async ? 'await ' : ''}model.run({ ${inputs.map(arg).join(', ')} });
console.log(${out});
\`\`\`
${rows ? `Rows are objects by feature name (\`featureNames\` lists them), lists of numbers in that order, or a typed array of whole rows; what is missing is left out, null or NaN.\n` : ''}`;
}
/** README.md of a bundle. */
export function readme(
  name: string,
  head: string,
  loader: Loader,
  inputs: readonly Port[],
  outputs: readonly Port[],
  rows: RowsOfFeatures | undefined,
): string {
  const shape = (p: Port): string => `${DTYPES[p.type.dtype].ort} [${p.type.shape.map(showDim).join(', ')}]`;
  const list = (ports: readonly Port[]): string => ports.map(p => `${codeMarkdown(p.name)} ${shape(p)}`).join(', ');
  return `# ${quoteMarkdown(name)}
${quoteMarkdown(head)}
${usage(loader, inputs, outputs, rows)}Inputs: ${list(inputs) || 'none'}. Outputs: ${list(outputs)}.
\`npx serve .\` and open demo.html to try it; manifest.json tells what was compiled, and how.
`;
}
