// The process of a compilation job: it compiles the model of an archive to a bundle and packs that, away from the daemon, which goes on.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, writeBundle, type Format } from 'sinter';
import { create as pack } from 'tar';
import { messageOf } from '../core/errors.ts';

export interface CompileTask {
  readonly archive: string;
  /** An empty folder of the job's own. */
  readonly work: string;
  readonly target: string;
  readonly format: Format | undefined;
  /** Sizes of inputs by name; undefined: as the model has them. */
  readonly shapes: Readonly<Record<string, readonly number[]>> | undefined;
  /** Where the packed bundle goes. */
  readonly out: string;
}

const task = JSON.parse(readFileSync(0, 'utf8')) as CompileTask;
try {
  // The compiler reads models inside of archives.
  const { files } = await compile({
    model: task.archive,
    target: task.target,
    ...(task.format === undefined ? {} : { format: task.format }),
    ...(task.shapes === undefined ? {} : { shapes: task.shapes }),
  });
  const bundle = join(task.work, 'bundle');
  writeBundle(bundle, files);
  await pack({ gzip: true, cwd: bundle, file: task.out, portable: true }, ['.']);
} catch (e) {
  process.stderr.write(messageOf(e));
  process.exitCode = 1;
}
