import { readFileSync } from 'node:fs';

/** In the source they lie beside this file; in the package beside dist/. */
const FOLDER = new URL(import.meta.url.endsWith('.ts') ? 'templates/' : '../../export/templates/', import.meta.url);

/** A file that exports hold as it is. */
export const template = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');
