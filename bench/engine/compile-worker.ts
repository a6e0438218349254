/** The process that compiles one model: see `CompileRequest`. */
import { join } from 'node:path';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/host/compile.ts';
import { readText, writeFile } from '../../compiler/host/files.ts';
import { readManifest } from '../../compiler/run/manifest.ts';
import { buildLibraries } from '../../compiler/host/build.ts';
import type { CompileRequest } from './children.ts';

const [, , file = ''] = process.argv;
try {
  const { path, options, out } = JSON.parse(readText(file)) as CompileRequest;
  const { files, report } = await compile({ ...options, model: path });
  for (const [name, bytes] of files) writeFile(join(out, name), bytes);
  const { native } = readManifest(out);
  if (native) buildLibraries(out, native);
  process.stdout.write(JSON.stringify(report));
} catch (e) {
  console.error(e instanceof CompileError ? e.message : e);
  process.exitCode = 1;
}
