/**
 * A soak: an endpoint under load is updated, resized and loses instances and zones, round after round.
 *   npx tsx test/serving/endpointd/soak.ts [MINUTES]     (default: 10)
 * Prints requests, those that were lost, and the daemon's memory each round; ends with 1 where a request was lost.
 */
import {
  CreateEndpointCommand,
  UpdateEndpointCommand,
  UpdateEndpointWeightsAndCapacitiesCommand,
} from '@aws-sdk/client-sagemaker';
import { startLoad } from './load.ts';
import { image, rows, startPlane, until } from './plane.ts';

const minutes = Number(process.argv[2] ?? 10);
const p = await startPlane();
const EndpointName = 'soak';
await p.model('bike', { Image: image('1.2-2') });
for (const name of ['one', 'two']) await p.config(name, [{ VariantName: 'v', InitialInstanceCount: 2 }]);
await p.sagemaker.send(new CreateEndpointCommand({ EndpointName, EndpointConfigName: 'one' }));
await p.inService(EndpointName);
const load = startLoad(`${p.daemon.url}/endpoints/${EndpointName}/invocations`, rows[0] ?? '', 4);
const kill = async (pid: number | undefined): Promise<void> => {
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  await until(() => pid === undefined || !p.daemon.pids(EndpointName).includes(pid));
  await p.inService(EndpointName);
  const { ProductionVariants } = await p.describe(EndpointName);
  await until(() => p.daemon.pids(EndpointName).length === ProductionVariants?.[0]?.DesiredInstanceCount);
};
for (let round = 0, end = Date.now() + minutes * 60_000; Date.now() < end; round++) {
  const EndpointConfigName = round % 2 === 0 ? 'two' : 'one';
  await p.sagemaker.send(new UpdateEndpointCommand({ EndpointName, EndpointConfigName }));
  await p.inService(EndpointName);
  await kill(p.daemon.pids(EndpointName)[0]);
  for (const DesiredInstanceCount of [3, 2]) {
    const DesiredWeightsAndCapacities = [{ VariantName: 'v', DesiredInstanceCount }];
    await p.sagemaker.send(new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities }));
    await p.inService(EndpointName);
  }
  await kill(p.daemon.zones().find(z => z.pid !== undefined)?.pid);
  globalThis.gc?.();
  console.log(`round ${round}: ${load.answered} requests, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`);
}
const { total, failed, milliseconds } = await load.stop();
// The load generator keeps the time of each request, 8 bytes, which is part of the memory above.
const sorted = [...milliseconds].sort((a, b) => a - b);
const at = (q: number): string => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0).toFixed(1);
console.log(
  `${total} requests, ${failed.length} lost; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, p99.9 ${at(0.999)} ms, most ${at(1)} ms`,
);
for (const f of new Set(failed)) console.log(f);
await p.close();
process.exit(failed.length > 0 ? 1 : 0);
