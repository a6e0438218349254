import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { must } from '../../compiler/core/diagnostic.ts';
import { readBytes } from '../../compiler/host/files.ts';
import { findOnnxruntime, openOrt, type OrtPackage } from '../../compiler/reference/onnxruntime.ts';
import { findPackage } from '../../compiler/host/packages.ts';
import type { Found, Peer, PeerContext } from '../engine/runner.ts';
import { timedOver } from '../engine/turns.ts';
import { nodeColdStart } from '../engine/cold-start.ts';

/** What a page must get of onnxruntime-web to run models in WebAssembly. */
const WEB = ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'];

/** onnxruntime in native code, or in WebAssembly. */
export const onnxruntime = (name: OrtPackage): Peer => ({
  name,
  find: async (c: PeerContext): Promise<Found> => {
    if (c.format !== 'onnx') return { k: 'unsuited', why: 'it runs ONNX models only' };
    const place = findPackage(name);
    if (!place) return { k: 'missing', how: `npm install ${name}` };
    const web = name === 'onnxruntime-web';
    const options = web
      ? { executionProviders: ['wasm'] }
      : { intraOpNumThreads: c.threads, interOpNumThreads: 1, executionMode: 'sequential' as const };
    return Promise.resolve({
      k: 'found',
      version: place.version,
      code: web ? WEB.map(f => join(place.dir, 'dist', f)).filter(f => existsSync(f)) : nativeFiles(place.dir),
      open: async () => {
        const ort = must(await findOnnxruntime(name), name);
        if (web) ort.env.wasm.numThreads = c.threads;
        const model = await openOrt(ort, readBytes(c.model), c.model, options);
        return {
          turn: feeds => timedOver(feeds.map(f => model.prepare(f))),
          answer: feed => model.run(feed),
          close: () => model.release(),
        };
      },
      coldStart: (inputs, work) =>
        nodeColdStart(work, {
          k: 'onnxruntime',
          module: pathToFileURL(place.main).href,
          inputs,
          model: c.model,
          read: web,
          threads: c.threads,
          options: { logSeverityLevel: 3, ...options },
        }),
    });
  },
});
/** The libraries of this system, which its package holds among those of others. */
function nativeFiles(dir: string): string[] {
  const bin = join(dir, 'bin');
  const [version] = existsSync(bin) ? readdirSync(bin).filter(d => d.startsWith('napi')) : [];
  const here = join(bin, version ?? '', process.platform, process.arch);
  return version !== undefined && existsSync(here) ? readdirSync(here).map(f => join(here, f)) : [];
}
