/** Who asks, and when. */
export interface Caller {
  /** That the request is signed for. */
  readonly region: string;
  /** The control plane's time, milliseconds since 1970. */
  readonly now: number;
}
