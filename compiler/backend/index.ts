import type { ProgramPass } from '../program/passes/pass.ts';
import type { BackEnd } from './backend.ts';
import { C } from './c/index.ts';
import { WASM } from './wasm/index.ts';

/** The back ends that the compiler has. */
export const BACK_ENDS: readonly BackEnd[] = [WASM, C];
/** What they do to kernels before they print them, each pass once. */
export const allKernelPasses: readonly ProgramPass[] = [...new Set(BACK_ENDS.flatMap(b => b.kernelPasses))];
