/** Who asks, and when. */
export interface Caller {
  /** That the request is signed for. */
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  /** The control plane's time, milliseconds since 1970. */
  readonly now: number;
}
/** The name of a resource, such as `model/NAME` of SageMaker. */
export const arn = (c: Pick<Caller, 'region' | 'account'>, rest: string, service = 'sagemaker'): string =>
  `arn:aws:${service}:${c.region}:${c.account}:${rest}`;
