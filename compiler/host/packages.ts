import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Where a package is loaded from: the current folder's, which its user chose, or that of this package's surroundings. */
interface PackagePlace {
  readonly main: string;
  /** The package's folder. */
  readonly dir: string;
  readonly version: string;
}
export function findPackage(name: string): PackagePlace | undefined {
  for (const from of [pathToFileURL(join(process.cwd(), 'x.js')).href, import.meta.url])
    try {
      const main = createRequire(from).resolve(name);
      const end = main.lastIndexOf(join('node_modules', name));
      const dir = main.slice(0, end + join('node_modules', name).length);
      const { version } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { version: string };
      return { main, dir, version };
    } catch {
      continue;
    }
  return undefined;
}
