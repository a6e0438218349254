import type { Plugin } from 'esbuild';

export function splitBinaryen(folder: string, main?: string): void;
export const besideBinaryen: Plugin;
