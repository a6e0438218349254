import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** How a program of this package is started in a process of its own: what follows the command `node`. */
export function ownProgram(name: string): string[] {
  const compiled = !import.meta.url.endsWith('.ts');
  const file = fileURLToPath(new URL(`${name}${compiled ? '.js' : '.ts'}`, import.meta.url));
  // Sources as they are need what runs TypeScript.
  return compiled ? [file] : ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href, file];
}
