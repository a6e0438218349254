import type { Pass } from '../../core/pass.ts';
import type { Program } from '../program.ts';

/** A pass over programs: what back ends do to kernels before they print them. Slots stay, so a memory plan stays valid. */
export type ProgramPass = Pass<Program>;
