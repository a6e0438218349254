import type { ExportedBundle } from './bundle.ts';

/** What the person who exports says; each target uses what concerns it. */
export interface ExportOptions {
  readonly name: string;
  /** The image that is built and run, with its registry. */
  readonly image: string;
  /** Where the model lies for systems that fetch it. */
  readonly modelUri: string;
  readonly min: number;
  readonly max: number;
  /** Requests a second that one instance should get: what it can do times the safety factor. Undefined: scale by processor time. */
  readonly rps: number | undefined;
  /** Of an instance. */
  readonly cpus: number;
  readonly region: string;
  readonly role: string;
  readonly instanceType: string;
  readonly prometheus: string;
}
/** Files by their paths in the folder. */
export type ExportFiles = ReadonlyMap<string, Uint8Array | string>;
export interface ExportTarget {
  readonly about: string;
  /** What a name may be, and how to say that. */
  readonly names: { readonly allowed: RegExp; readonly rule: string };
  /** Whether the folder has an image, which needs the packages of Sinter. */
  readonly image: boolean;
  /** ExportError where the bundle cannot run there. */
  readonly files: (b: ExportedBundle, o: ExportOptions) => ExportFiles;
}
/** RFC 1123 labels, which Kubernetes asks of most names. */
export const DNS_LABEL = {
  allowed: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  rule: 'small letters, digits and - inside, 63 at most',
};
