import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Answer } from '../core/call.ts';
import type { Pool, PoolEvent } from './pool.ts';

/** Of one model; plain numbers, so that a request costs no look-up of labels. */
interface Counts {
  success: number;
  failure: number;
  rows: number;
  microseconds: number;
  readonly predict: { observe(seconds: number): void };
}
export interface Metrics {
  /** Counts a request to a model, and the microseconds that it took here. */
  count(model: string, a: Pick<Answer, 'status' | 'rows' | 'microseconds'>, microseconds: number): void;
  refused(): void;
  event(e: PoolEvent): void;
  text(): Promise<string>;
  readonly contentType: string;
}
const BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Prometheus's metrics: those of Triton and KServe by their names, and Sinter's own. */
export function metricsOf(pool: Pool): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'sinter_gateway_' });
  const models = new Map<string, Counts>();
  const perModel = (name: string, help: string, of: (c: Counts) => number): void => {
    new Counter({
      name,
      help,
      labelNames: ['model', 'version'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [model, c] of models) this.inc({ model, version: '1' }, of(c));
      },
    });
  };
  perModel('nv_inference_request_success', 'Number of successful inference requests', c => c.success);
  perModel('nv_inference_request_failure', 'Number of failed inference requests', c => c.failure);
  perModel('nv_inference_count', 'Number of inferences performed: rows', c => c.rows);
  perModel('nv_inference_request_duration_us', 'Cumulative inference request duration in microseconds', c => c.microseconds);
  const predict = new Histogram({
    name: 'request_predict_seconds',
    help: 'Seconds that the model ran for the batch of a request',
    labelNames: ['model_name'],
    buckets: BUCKETS,
    registers: [registry],
  });
  const gauge = (name: string, help: string, of: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(of());
      },
    });
  };
  gauge('sinter_workers', 'Workers that answer', () => pool.alive);
  gauge('sinter_queue', 'Requests that wait for an answer', () => pool.inFlight);
  gauge('sinter_models', 'Models that are loaded', () => pool.models().length);
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers: [registry] });
  const refused = counter('sinter_requests_refused', 'Requests that were refused because too many waited');
  const lost = counter('sinter_workers_lost', 'Workers that ended by themselves');
  const poison = counter('sinter_requests_poisonous', 'Requests that ended workers, and are refused now');
  return {
    count: (model, a, microseconds) => {
      let c = models.get(model);
      if (!c) {
        c = { success: 0, failure: 0, rows: 0, microseconds: 0, predict: predict.labels(model) };
        models.set(model, c);
      }
      if (a.status < 400) {
        c.success++;
        c.rows += a.rows ?? 0;
        c.predict.observe((a.microseconds ?? 0) / 1e6);
      } else c.failure++;
      c.microseconds += microseconds;
    },
    refused: () => refused.inc(),
    event: e => {
      if (e.k === 'lost') lost.inc();
      if (e.k === 'poison') poison.inc();
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
