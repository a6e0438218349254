import { oneLine, quotePython, quoteToml } from '../../core/quote.ts';
import type { Program } from '../../program/program.ts';
import { namesOf } from '../../backend/c/names.ts';
import { WHEEL } from './wheel.data.ts';

/**
 * What makes the folder of a native bundle one that pip installs (PEP 517 and 621), by file name: pyproject.toml and a build backend that
 * needs no other package and no network. `id` tells this model from others of its name; `library` is what model.py loads, and `weights` the file that has to be beside it.
 */
export function wheelFiles(
  p: Program,
  head: string,
  id: string,
  library: string,
  weights: string | undefined,
): ReadonlyMap<string, string> {
  const name = packageName(p);
  const summary = oneLine(head);
  const version = `1.0+${id}`;
  return new Map([
    [
      'pyproject.toml',
      `# pip install . makes the model the package ${name}, in any environment with NumPy; nothing is fetched to build it.
[build-system]
requires = []
build-backend = "build_wheel"
backend-path = ["."]

[project]
name = "${name}"
version = "${version}"
description = ${quoteToml(summary)}
requires-python = ">=3.8"
dependencies = ["numpy"]
`,
    ],
    [
      'build_wheel.py',
      `"""Makes a wheel of model.py and the shared library: pip calls it, as pyproject.toml says."""
PACKAGE = "${name}"
VERSION = "${version}"
LIBRARY = "${library}"
WEIGHTS = [${weights === undefined ? '' : quotePython(weights)}]
SUMMARY = ${quotePython(summary)}

${WHEEL}`,
    ],
  ]);
}
/** What Python calls a model that pip has installed: no name that others may have. */
export function packageName(p: Program): string {
  const word = namesOf(p)
    .prefix.toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[a-z]/.test(word) ? `${word}_model` : `model_${word === '' ? '1' : word}`;
}
