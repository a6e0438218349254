import { readCase, isOnnxSuite } from '../suites/onnx-backend.ts';
import { isTfSuite } from '../suites/tensorflow-cases.ts';
import { runCase } from './case.ts';
import type { Outcome } from './outcome.ts';
import type { Job } from './pool.ts';
import { preload } from './runners.ts';
import { runTfCase } from './tensorflow.ts';

function run(job: Job): Promise<Outcome> {
  const { suite, name, folder, way } = job;
  if (isTfSuite(suite)) return runTfCase(suite, name, folder, way);
  if (isOnnxSuite(suite)) return runCase(readCase(suite, name, folder), job);
  throw new Error(`no suite ${suite}`);
}
/** A process that runs one case after the other as it is told, once it has said that it is ready. */
process.on('message', m => void run(m as Job).then(o => process.send?.(o)));
await preload();
process.send?.('ready');
