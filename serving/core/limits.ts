export const MiB = 2 ** 20;
/** What a request may take of the server. */
export interface Limits {
  /** Bytes of a body of SageMaker's routes: its own limit of 6 MiB, or `MAX_CONTENT_LENGTH`. */
  readonly invocationBytes: number;
  /** Bytes of a body of the Open Inference Protocol, also after it was unfolded. */
  readonly bodyBytes: number;
  readonly headerBytes: number;
  /** Milliseconds in which all headers must have come. */
  readonly headersTimeout: number;
  /** Milliseconds in which a request must have come. */
  readonly requestTimeout: number;
  /** Milliseconds that a connection may idle: more than a load balancer lets it, so that it is not reset in its hands. */
  readonly keepAlive: number;
  readonly connections: number;
}
export const LIMITS: Limits = {
  invocationBytes: 6 * MiB,
  bodyBytes: 64 * MiB,
  headerBytes: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAlive: 75_000,
  connections: 10_000,
};
