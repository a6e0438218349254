import type { ModelInfo, Port } from '../../core/model.ts';
import { datatypeOf } from '../../core/tensors.ts';

/** Of every model: a bundle has none of its own. */
export const VERSION = '1';
export const SERVER = {
  name: 'sinter',
  version: '0.1.0',
  extensions: ['binary_tensor_data', 'model_repository'],
} as const;
interface PortMetadata {
  readonly name: string;
  readonly datatype: string;
  /** -1: varies. */
  readonly shape: readonly number[];
}
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly PortMetadata[];
  readonly outputs: readonly PortMetadata[];
}
const portOf = (p: Port): PortMetadata => ({
  name: p.name,
  datatype: datatypeOf(p.type),
  shape: p.shape.map(d => (typeof d === 'number' ? d : -1)),
});
export const metadataOf = (m: ModelInfo): ModelMetadata => ({
  name: m.name,
  versions: [VERSION],
  platform: `sinter_${m.profile}`,
  inputs: m.inputs.map(portOf),
  outputs: m.outputs.map(portOf),
});
