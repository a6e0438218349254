import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { messageOf } from '../core/errors.ts';
import { startDaemon, type DaemonOptions } from '../control/daemon.ts';
import { NATIVE_HELP, numberIn, several, TRUST_HELP, trustOf, wholeIn } from './flags.ts';
import type { Terminal } from './index.ts';

interface Flags {
  readonly host: string;
  readonly port: number;
  readonly state: string;
  readonly s3Endpoint?: string;
  readonly account?: string;
  readonly clockRate: number;
  readonly zones: number;
  readonly modelRoom: number;
  readonly allowNative?: true;
  readonly trust?: readonly string[];
  readonly allowReset?: true;
  readonly log: string;
}
function account(text: string): string {
  if (!/^\d{12}$/.test(text)) throw new InvalidArgumentError('must be 12 digits.');
  return text;
}
const HELP = `
Point an SDK at it, with any credentials and any region:

  sinter endpointd --port 4600 &
  export AWS_ENDPOINT_URL=http://127.0.0.1:4600 AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000
  export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1

Signatures are not checked: whoever reaches the port may use it. See serving/docs/endpointd.md.`;

/** `sinter endpointd`: runs until SIGINT or SIGTERM. */
export async function run(argv: readonly string[], t: Terminal): Promise<number> {
  const command = new Command('sinter endpointd')
    .description("a local control plane that speaks SageMaker's protocol: models, endpoints, traffic, scaling, alarms")
    .option('--host <address>', 'the address it listens on; others than loopback let others in', '127.0.0.1')
    .option('--port <port>', 'the port; 0 is any that is free', wholeIn(0, 65535), 4600)
    .option('--state <folder>', 'where it keeps what it knows', join(homedir(), '.local', 'state', 'sinter-endpointd'))
    .option('--s3-endpoint <url>', "the S3 that models are read from; default: AWS_ENDPOINT_URL_S3, else Amazon's")
    .option('--account <digits>', 'the account in names of resources', account)
    .option(
      '--clock-rate <n>',
      'how many times faster than the wall clock alarms, cooldowns and waits pass',
      numberIn(0.01, 3600),
      1,
    )
    .option('--zones <n>', 'how many zones instances are spread over', wholeIn(1, 10), 2)
    .option(
      '--model-room <n>',
      'the most models that an instance of a multi-model endpoint holds in memory',
      wholeIn(1, 100_000),
      100,
    )
    .option('--trust <key>', TRUST_HELP, several)
    .option('--allow-native', NATIVE_HELP)
    .option('--allow-reset', 'let POST /moto-api/reset forget everything')
    .option('--log <level>', 'debug, info, warn, error or silent', 'info')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ writeOut: s => t.out(s), writeErr: s => t.err(s) });
  let flags: Flags;
  try {
    flags = command.parse([...argv], { from: 'user' }).opts<Flags>();
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
    throw e;
  }
  const logger = pino({ level: flags.log, base: null }, { write: line => t.err(line) });
  const { trust, allowNative, ...rest } = flags;
  const options = (): DaemonOptions => ({
    ...rest,
    trust: trustOf({ trust, allowNative }),
    log: ({ level, message, ...fields }) => logger[level](fields, message),
  });
  try {
    const daemon = await startDaemon(options());
    t.out(`listening on ${daemon.url}\n`);
    await new Promise<void>(resolve => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    });
    await daemon.close();
    return 0;
  } catch (e) {
    t.err(`error: ${messageOf(e)}\n`);
    return 1;
  }
}
