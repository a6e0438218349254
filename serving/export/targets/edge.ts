/**
 * Functions without a server of their own: AWS Lambda and Cloudflare's workers. Both get the bundle, the same small responder, and what
 * joins it to the system. https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html, https://github.com/cloudflare/workerd
 */
import { version } from 'sinter';
import { ExportError, type ExportedBundle } from '../bundle.ts';
import type { ExportOptions, ExportTarget } from '../target.ts';
import { json, readme } from '../text.ts';
import { template } from '../templates.ts';

/** Types that JSON of the responder carries. */
const CARRIED = /^(FP32|FP64|U?INT\d+|BOOL|BYTES)$/;

function about(b: ExportedBundle, o: ExportOptions): unknown {
  const other = [...b.inputs, ...b.outputs].find(p => !CARRIED.test(p.datatype));
  if (other)
    throw new ExportError(
      `${other.name} is of type ${other.datatype}, which JSON does not carry; serve this model with \`sinter serve\``,
    );
  const { rows } = b.manifest;
  const columns = b.inputs.find(p => p.name === rows?.input)?.shape[1];
  const table = rows && columns !== undefined ? { input: rows.input, columns } : null;
  return { name: o.name, version, inputs: b.inputs, outputs: b.outputs, table };
}
/** Of a bundle what runs: no page, no types. */
const running = (b: ExportedBundle): [string, Uint8Array][] =>
  [...b.files].filter(([f]) => /\.(js|wasm|weights)$/.test(f) && f !== 'demo.js').map(([f, data]) => [`bundle/${f}`, data]);
function onlyWasm(b: ExportedBundle, where: string): void {
  if (b.native)
    throw new ExportError(
      `${b.manifest.target} is code of a machine, which ${where} does not run; compile the model with --target wasm-simd`,
    );
}
const ask = (o: ExportOptions, url: string): string => `curl ${url}/v2/models/${o.name}`;

export const lambda: ExportTarget = {
  about: 'a function of AWS Lambda with a URL',
  names: { allowed: /^[a-zA-Z0-9-_]{1,64}$/, rule: 'letters, digits, - and _, 64 at most' },
  image: false,
  files: (b, o) => {
    onlyWasm(b, 'this function');
    return new Map<string, Uint8Array | string>([
      ...running(b).map(([f, data]) => [`function/${f}`, data] as const),
      ['function/index.mjs', template('lambda.mjs')],
      ['function/respond.js', template('respond.js')],
      ['function/about.json', json(about(b, o))],
      ['function/package.json', json({ type: 'module', private: true })],
      [
        'README.md',
        readme(
          `${o.name} on AWS Lambda`,
          'Pack the function, make it, and give it a URL that anyone may call:',
          {
            commands: `(cd function && zip --recurse-paths ../function.zip .)
aws lambda create-function --region ${o.region} --function-name ${o.name} --runtime nodejs22.x --handler index.handler \\
  --memory-size ${Math.max(512, b.memory)} --timeout 30 --role ${o.role} --zip-file fileb://function.zip
aws lambda create-function-url-config --region ${o.region} --function-name ${o.name} --auth-type NONE
aws lambda add-permission --region ${o.region} --function-name ${o.name} --action lambda:InvokeFunctionUrl --principal '*' \\
  --statement-id url --function-url-auth-type NONE`,
          },
          'Ask it once:',
          {
            commands: ask(
              o,
              `"$(aws lambda get-function-url-config --region ${o.region} --function-name ${o.name} --query FunctionUrl --output text | sed 's:/$::')"`,
            ),
          },
          'It answers the Open Inference Protocol with JSON, and rows of CSV at /invocations. Of an HTTP API of API Gateway it takes events of payload format 2.0. For callers with credentials only: --auth-type AWS_IAM, without the permission.',
        ),
      ],
    ]);
  },
};

const OLDEST_DATE = '2025-01-01';
export const workers: ExportTarget = {
  about: "a worker for Cloudflare's runtime, hosted there or by yourself with workerd",
  names: { allowed: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, rule: 'small letters, digits and - inside, 63 at most' },
  image: false,
  files: (b, o) => {
    onlyWasm(b, 'a worker');
    const { module } = b;
    if (!module || /threads/.test(b.manifest.target))
      throw new ExportError(
        `${b.manifest.target} has several modules or threads, which a worker has not; compile the model with --target wasm-simd`,
      );
    const { wasm, weights } = module;
    return new Map<string, Uint8Array | string>([
      ...running(b),
      ['worker.mjs', template('worker.mjs')],
      ['source.js', source(wasm, weights)],
      ['respond.js', template('respond.js')],
      ['about.js', `export default ${json(about(b, o)).trimEnd()};\n`],
      [
        'wrangler.json',
        json({
          name: o.name,
          main: 'worker.mjs',
          compatibility_date: OLDEST_DATE,
          // The files are modules already, and a bundler would look for what they only use in Node.
          no_bundle: true,
          find_additional_modules: true,
          // Besides what wrangler knows: its own rules say what .wasm is.
          rules: [
            { type: 'ESModule', globs: ['**/*.js'], fallthrough: true },
            { type: 'Data', globs: ['**/*.weights'], fallthrough: true },
          ],
        }),
      ],
      ['config.capnp', capnp(wasm, weights)],
      [
        'README.md',
        readme(
          `${o.name} as a worker`,
          'On this machine, with the runtime alone, and asked once:',
          { commands: `npx workerd serve config.capnp &\n${ask(o, 'http://127.0.0.1:8080')}` },
          'On Cloudflare:',
          { commands: 'npx wrangler deploy' },
          'It answers the Open Inference Protocol with JSON, and rows of CSV at /invocations. Cloudflare limits the size of a worker and its memory (128 MB): quantize what is larger.',
        ),
      ],
    ]);
  },
};
/** The runtime makes a compiled module of the one file, and bytes of the other. */
const source = (wasm: string, weights: string | undefined): string =>
  weights === undefined
    ? `export { default as source } from './bundle/${wasm}';\n`
    : `import wasm from './bundle/${wasm}';\nimport weights from './bundle/${weights}';\nexport const source = { wasm, weights };\n`;
const capnp = (wasm: string, weights: string | undefined): string => `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "${OLDEST_DATE}",
  modules = [
    (name = "worker.mjs", esModule = embed "worker.mjs"),
    (name = "about.js", esModule = embed "about.js"),
    (name = "respond.js", esModule = embed "respond.js"),
    (name = "source.js", esModule = embed "source.js"),
    (name = "bundle/index.js", esModule = embed "bundle/index.js"),
    (name = "bundle/${wasm}", wasm = embed "bundle/${wasm}"),${
      weights === undefined ? '' : `\n    (name = "bundle/${weights}", data = embed "bundle/${weights}"),`
    }
  ],
);
`;
