import { readCase } from '../suites/onnx-backend.ts';
import { runCase } from './case.ts';
import type { Job } from './pool.ts';
import { preload } from './runners.ts';

/** A process that runs one case after the other as it is told, once it has said that it is ready. */
process.on('message', m => {
  const job = m as Job;
  void runCase(readCase(job.suite, job.name, job.folder), job).then(o => process.send?.(o));
});
await preload();
process.send?.('ready');
