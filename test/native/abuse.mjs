// Uses a bundle behind Node-API as nobody should, beside its index.js; node-api.test.ts knows what it prints.
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { load } from './index.js';

const rows = Float32Array.from({ length: 13 * 100 }, (_, i) => ((i * 7919) % 1009) / 40);
const predict = model => model.run({ features: rows }).prediction.data;

if (!isMainThread) {
  const model = await load();
  // A second instance in the thread, and results that come again and again.
  const other = await load();
  do {
    predict(other);
    parentPort.postMessage(predict(model));
  } while (workerData.forever);
} else {
  const text = f => {
    try {
      f();
      return 'nothing was thrown';
    } catch (e) {
      return e.message;
    }
  };
  const want = predict(await load()).join();

  const gone = await load();
  structuredClone(0, { transfer: [gone.inputs.features.data.buffer] });
  console.log(
    'transferred:',
    text(() => predict(gone)),
  );
  const addon = createRequire(import.meta.url)('./model.node');
  const { memory, run } = addon.open();
  structuredClone(0, { transfer: [memory.buffer] });
  console.log(
    'addon:',
    text(() => run(1)),
  );
  const direct = addon.open();
  for (const bad of [[], ['1'], [Symbol()], [{}]]) text(() => direct.run(...bad));
  console.log(
    'addon:',
    text(() => direct.run()),
  );
  console.log(
    'addon:',
    text(() => direct.run(2 ** 31 - 1)),
  );

  const model = await load();
  const detached = new Float32Array(rows);
  structuredClone(0, { transfer: [detached.buffer] });
  console.log(
    'detached input:',
    text(() => model.run({ features: detached })),
  );
  const within = {
    get hour() {
      return predict(model)[0];
    },
  };
  console.log(
    'within:',
    text(() => model.run({ features: [within] })),
  );
  if (predict(model).join() !== want) throw new Error('another result after bad use');

  // Instances take hundreds of kilobytes each: the collector must see that, and results must outlive their model.
  const kept = [];
  for (let i = 0; i < 300; i++) {
    kept.push(
      (await load()).run({ features: rows }, i % 2 ? {} : { into: { prediction: new Float32Array(100) } }).prediction.data,
    );
    if (i % 50 === 0) globalThis.gc();
  }
  globalThis.gc();
  await new Promise(done => setTimeout(done, 20));
  globalThis.gc();
  if (kept.some(k => k.join() !== want)) throw new Error('another result');
  console.log('instances:', `${kept.length}, memory ${process.memoryUsage().arrayBuffers < 50e6 ? 'bounded' : 'not freed'}`);

  const same = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: {} });
      const first = await new Promise((got, failed) => worker.once('message', got).once('error', failed));
      await worker.terminate();
      return first.join() === want;
    }),
  );
  console.log('workers:', same.filter(Boolean).length, 'the same');
  // Threads that end in the middle of their runs, while this one goes on.
  const busy = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url), { workerData: { forever: true } }));
  await Promise.all(busy.map(w => new Promise(got => w.once('message', got))));
  const ended = await Promise.all(busy.map(w => w.terminate()));
  if (predict(model).join() !== want) throw new Error('another result after threads ended');
  console.log('terminated:', ended.length);
}
