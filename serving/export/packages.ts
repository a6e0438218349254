import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExportError } from './bundle.ts';

/** The folder of an installed package, and a file that it has only when it is built. */
const PACKAGES = [
  { name: 'sinter', built: 'dist/bundled/sinter.js' },
  { name: 'sinter-serving', built: 'dist/cli/index.js' },
] as const;

/** Packs the installed packages of Sinter as `npm pack` does, so that an image has exactly what exported it. Gives the names of the files. */
export function packPackages(to: string): readonly string[] {
  mkdirSync(to, { recursive: true });
  for (const { name, built } of PACKAGES) {
    const folder = dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
    if (!existsSync(join(folder, built)))
      throw new ExportError(
        `${name} in ${folder} is not built: run \`npm run build\` there, or leave the packages out with --no-packages`,
      );
    try {
      execFileSync('npm', ['pack', folder, '--ignore-scripts', '--silent', '--pack-destination', to], {
        stdio: ['ignore', 'ignore', 'pipe'],
        shell: process.platform === 'win32',
      });
    } catch (e) {
      throw new ExportError(`npm pack of ${name} fails: ${String(Reflect.get(Object(e), 'message'))}`);
    }
  }
  return readdirSync(to);
}
