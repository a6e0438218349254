import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

const compiled = !import.meta.url.endsWith('.ts');
/** The package's folder of code, also from what is bundled. */
const codeDir = (): string => {
  const root = dirname(createRequire(import.meta.url).resolve('sinter/package.json'));
  return compiled ? join(root, 'dist') : root;
};
const fileOf = (name: string): string => join(codeDir(), 'bench/engine', `${name}${compiled ? '.js' : '.ts'}`);

/** The address of a module of this package, for programs that import it. */
export const ownUrl = (name: string): string => pathToFileURL(fileOf(name)).href;
/** How a program of this package is started in a process of its own: what follows the command `node`. */
export function ownProgram(name: string): string[] {
  if (compiled) return [join(codeDir(), 'bundled', `${name}.js`)];
  const file = fileOf(name);
  // Sources as they are need what runs TypeScript.
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href, file];
}

/** A module of this package for a page: where it lies in the package's folder of code, and what reads it and those that it imports. */
export function ownModule(name: string): { readonly entry: string; read(path: string): Promise<string | undefined> } {
  const root = codeDir();
  return {
    entry: relative(root, fileOf(name)).replaceAll('\\', '/'),
    read: async path => {
      const file = join(root, path);
      if (!existsSync(file)) return undefined;
      const text = readFileSync(file, 'utf8');
      if (!file.endsWith('.ts')) return text;
      // Only sources as they are come here: the translator is of those who work on them.
      const { transform } = await import('esbuild');
      return (await transform(text, { loader: 'ts', target: 'es2022' })).code;
    },
  };
}
