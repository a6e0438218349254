/** The image that runs `sinter serve`, for all systems that run containers. */
import type { ExportedBundle } from './bundle.ts';

/** Node's release that the image has. */
const NODE = '22';
export const HTTP_PORT = 8080;
/** Where the image, or the system that runs it, puts the model. */
export const MODEL_DIR = '/opt/ml/model';

/** The files of an image; `model`: whether it holds the bundle, or finds it where the system puts it. */
export function imageFiles(b: ExportedBundle, { model }: { readonly model: boolean }): Map<string, Uint8Array | string> {
  const files = new Map<string, Uint8Array | string>([
    ['Dockerfile', dockerfile(model)],
    ['serve', entry(b)],
  ]);
  if (model) for (const [name, bytes] of b.files) files.set(`model/${name}`, bytes);
  return files;
}
const dockerfile = (model: boolean): string => `FROM node:${NODE}-bookworm-slim
# packages/ holds the packages of Sinter, as \`npm pack\` makes them.
COPY packages /tmp/packages
RUN npm install --global --ignore-scripts --no-audit --no-fund /tmp/packages/*.tgz && rm -r /tmp/packages
COPY --chmod=755 serve /usr/local/bin/serve
${model ? `COPY model ${MODEL_DIR}\n` : ''}# SageMaker may choose the port, and put several models behind one endpoint.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true
ENV NODE_ENV=production
USER node
EXPOSE ${HTTP_PORT}
ENTRYPOINT ["/usr/local/bin/serve"]
`;
/** SageMaker starts `IMAGE serve`, and `sinter serve` finds its model and its port; others say which models, by their names. */
const entry = (b: ExportedBundle): string => `#!/bin/sh
# Starts the server with what \`sinter serve\` takes. SageMaker says "serve" alone: the model, or the models, are where it puts them.
if [ "$1" = serve ]; then shift; fi
exec sinter serve "$@" --host 0.0.0.0${b.native ? ' --allow-native' : ''}
`;
/** What the server is started with outside of SageMaker. */
export const serveArguments = (name: string, dir: string, cpus: number): string[] => [
  'serve',
  `${name}=${dir}`,
  '--port',
  String(HTTP_PORT),
  '--workers',
  String(cpus),
];
/** How the image is built, as lines of a README. */
export const buildCommands = (b: ExportedBundle, image: string, folder = '.'): string =>
  `docker build${b.native?.arch === undefined ? '' : ` --platform linux/${b.native.arch}`} --tag ${image} ${folder}
docker push ${image}`;
