// The table of what each operation takes: types, required members and limits, as AWS's own service models say them.
export type Service = 'sagemaker' | 'application-autoscaling' | 'cloudwatch';
/** The type of a member; others are named by their key in the service's table. */
export type Shape =
  | { readonly k: 'structure'; readonly members: Readonly<Record<string, string>>; readonly required: readonly string[] }
  | { readonly k: 'list'; readonly member: string; readonly min?: number; readonly max?: number }
  | { readonly k: 'map'; readonly key: string; readonly value: string; readonly min?: number; readonly max?: number }
  | {
      readonly k: 'string';
      readonly min?: number;
      readonly max?: number;
      readonly pattern?: string;
      readonly enum?: readonly string[];
    }
  | { readonly k: 'integer' | 'number'; readonly min?: number; readonly max?: number }
  | { readonly k: 'boolean' | 'timestamp' };
export interface ServiceShapes {
  /** What stands before the dot in X-Amz-Target. */
  readonly target: string;
  /** Of application/x-amz-json. */
  readonly version: string;
  /** The shape of the input by operation. */
  readonly operations: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}
export type Table = Readonly<Record<Service, ServiceShapes>>;

export { SHAPES } from './table.ts';
