import type { Op } from '../define.ts';
import { ByteTable } from './byte-table.ts';
import { DequantizeLinear, QuantizeLinear } from './quant.ts';

export const quantOps: readonly Op[] = [QuantizeLinear, DequantizeLinear, ByteTable];
