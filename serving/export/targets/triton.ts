/**
 * Triton: a model repository whose Python backend runs the bundle's library.
 * https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
 */
import { ExportError, type ExportedBundle, type Port } from '../bundle.ts';
import type { ExportOptions, ExportTarget } from '../target.ts';
import { readme } from '../text.ts';
import { template } from '../templates.ts';

/** What native bundles for Linux call their shared library. */
const LIBRARY = 'libmodel.so';
const typeOf = ({ datatype }: Port): string => (datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`);
/** A string of protobuf's text format: UTF-8, control characters in octal. */
const quote = (text: string): string =>
  `"${text.replace(/["\\]/g, '\\$&').replace(/\p{Cc}/gu, c => [...Buffer.from(c)].map(b => `\\${b.toString(8).padStart(3, '0')}`).join(''))}"`;

export const triton: ExportTarget = {
  about: 'a model repository with the Python backend (native bundles)',
  names: { allowed: /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/, rule: 'letters, digits, _, . and - (not first), 128 at most' },
  image: false,
  files: (b, o) => {
    if (!b.native || b.manifest.native?.system !== 'unix')
      throw new ExportError(
        `Triton's Python backend runs libraries of Linux, and ${b.manifest.target} is none; compile the model with --target linux-x64 or linux-arm64`,
      );
    for (const file of [LIBRARY, 'model.py'])
      if (!b.files.has(file))
        throw new ExportError(
          `the bundle lacks ${file}: run \`make ${LIBRARY}\` in it, or compile the model on a machine with a C compiler`,
        );
    const at = `repository/${o.name}`;
    return new Map<string, Uint8Array | string>([
      [`${at}/config.pbtxt`, config(b, o)],
      [`${at}/1/model.py`, template('triton.py')],
      ...['model.py', LIBRARY, 'model.weights', 'manifest.json'].flatMap(f => {
        const data = b.files.get(f);
        return data ? [[`${at}/1/bundle/${f}`, data] as const] : [];
      }),
      [
        'README.md',
        readme(
          `${o.name} on Triton`,
          "repository/ is a model repository. Triton's image needs NumPy, which its releases with the Python backend have:",
          {
            commands: `docker run --rm --publish 8000:8000 --volume "$PWD/repository:/models" nvcr.io/nvidia/tritonserver:25.10-py3 tritonserver --model-repository /models
curl http://127.0.0.1:8000/v2/models/${o.name}/config`,
          },
          b.maxRows === undefined
            ? 'Requests run one by one, since the model has no free number of rows.'
            : `Requests that wait together are run as one batch of at most ${b.maxRows} rows (dynamic_batching).`,
        ),
      ],
    ]);
  },
};
function config(b: ExportedBundle, o: ExportOptions): string {
  const port = (p: Port): string =>
    `  {\n    name: ${quote(p.name)}\n    data_type: ${typeOf(p)}\n${dimsOf(p, b.maxRows !== undefined)}  }`;
  const list = (name: string, ports: readonly Port[]): string => `${name} [\n${ports.map(port).join(',\n')}\n]\n`;
  return `name: ${quote(o.name)}
backend: "python"
max_batch_size: ${b.maxRows ?? 0}
${list('input', b.inputs)}${list('output', b.outputs)}instance_group [ { count: ${o.cpus} kind: KIND_CPU } ]
${b.maxRows === undefined ? '' : 'dynamic_batching { }\n'}`;
}
/** Without the rows where Triton adds them; it wants one size at least, so that a value for each row is reshaped to none. */
function dimsOf({ shape }: Port, rows: boolean): string {
  const dims = rows ? shape.slice(1) : shape;
  return dims.length === 0 ? '    dims: [ 1 ]\n    reshape: { shape: [ ] }\n' : `    dims: [ ${dims.join(', ')} ]\n`;
}
