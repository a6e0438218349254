import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ExportError } from '../export/bundle.ts';
import { exportBundle, TARGETS, type ExportSettings, type NamedTarget } from '../export/export.ts';
import { numberIn, wholeIn } from './flags.ts';
import type { Terminal } from './index.ts';

interface Flags extends ExportSettings {
  readonly out: string;
}
/** Text that goes into commands and files: no spaces, quotes or control characters. */
function plain(text: string): string {
  if (!/^[\w.:/@+=,~-]+$/.test(text)) throw new InvalidArgumentError('may hold letters, digits and .:/@+=,~_- only.');
  return text;
}
function parseTarget(text: string): NamedTarget {
  const target = Object.hasOwn(TARGETS, text) ? TARGETS[text] : undefined;
  if (!target) throw new InvalidArgumentError(`must be one of ${Object.keys(TARGETS).join(', ')}.`);
  return { kind: text, target };
}
const HELP = `
Targets:
${Object.entries(TARGETS)
  .map(([name, t]) => `  ${name.padEnd(12)}${t.about}`)
  .join('\n')}

Each folder has a README.md with the commands that bring it there. Exit codes: 0 done, 1 the bundle or the place is at fault, 2 wrong usage.
`;

/** `sinter export`: gives the code to exit with. */
export async function run(argv: readonly string[], t: Terminal): Promise<number> {
  const program = new Command('sinter export')
    .description('write what another serving system takes')
    .argument('<target>', 'the system: one of those below', parseTarget)
    .argument('<bundle>', 'the folder of a bundle')
    .requiredOption('-o, --out <dir>', 'the folder to make')
    .option('--name <name>', 'the name of the model there (default: its own)')
    .option('--image <image>', 'the image to build and run, with its registry and tag', plain)
    .option('--model-uri <uri>', 'where the model will lie: sagemaker, kserve', plain)
    .option('--min <n>', 'the least instances', wholeIn(0, 1000), 1)
    .option('--max <n>', 'the most instances', wholeIn(1, 1000), 4)
    .option(
      '--rps <n>',
      'requests a second that an instance should get (the rate of `sinter loadtest` × its safety factor)',
      numberIn(0.01, 1e6),
    )
    .option('--cpus <n>', 'processors of an instance', wholeIn(1, 128), 1)
    .option('--prometheus <url>', 'where KEDA finds Prometheus', plain, 'http://prometheus-server.monitoring.svc')
    .option('--region <region>', "AWS's region", plain, 'us-east-1')
    .option('--role <arn>', 'the role of AWS that runs it', plain, 'arn:aws:iam::000000000000:role/sinter')
    .option('--instance-type <type>', "SageMaker's machine", plain, 'ml.m5.large')
    .option('--no-packages', 'leave the packages of Sinter out of the image: put them into its packages/ yourself')
    .addHelpText('after', HELP)
    .showHelpAfterError('(see --help)')
    .exitOverride()
    .configureOutput({ writeOut: text => t.out(text), writeErr: text => t.err(text) })
    .action((to: NamedTarget, bundle: string, o: Flags) => {
      if (o.min > o.max) throw new ExportError(`--min ${o.min} is more than --max ${o.max}`);
      const files = exportBundle(to, bundle, o.out, o);
      t.out(`${o.out}: ${files.length} files for ${to.kind}; README.md says the commands\n`);
    });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
    if (!(e instanceof ExportError)) throw e;
    t.err(`error: ${e.message}\n`);
    return 1;
  }
}
