import type { BuildOptions, Plugin } from 'esbuild';

export function splitBinaryen(folder: string, main?: string): void;
export const PROGRAM: Pick<BuildOptions, 'bundle' | 'splitting' | 'packages' | 'platform' | 'format' | 'target'>;
export const besideBinaryen: Plugin;
