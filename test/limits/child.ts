/** Compiles models that try to take all time and memory there is, in a process of its own. */
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/index.ts';
import type { Done, Job } from './limited.ts';

async function run({ options, measure }: Job): Promise<Omit<Done, 'peak'>> {
  const letters: Record<string, number> = {};
  try {
    const { files } = await compile({
      ...options,
      // The last text of each phase is what it made.
      ...(measure && { onText: s => void (letters[s.phase] = s.text().length) }),
    });
    return { code: 'compiled', message: '', letters, bytes: [...files.values()].reduce((n, f) => n + f.length, 0) };
  } catch (e) {
    const message = e instanceof Error ? (e.stack ?? e.message) : String(e);
    return { code: e instanceof CompileError ? e.code : 'crash', message: message.slice(0, 2000), letters, bytes: 0 };
  }
}
process.on('message', (job: Job) => {
  void run(job).then(done => process.send?.({ ...done, peak: process.resourceUsage().maxRSS * 1024 } satisfies Done));
});
process.send?.('ready');
