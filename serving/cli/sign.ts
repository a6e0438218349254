import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { messageOf } from '../core/errors.ts';
import { signBundle, SIGNATURE } from '../core/signature.ts';
import type { Terminal } from './index.ts';

interface Flags {
  readonly key: string;
  readonly newKey?: true;
}
const HELP = `
The key is a private key of Ed25519 in PEM. --new-key makes one, and KEY.pub beside it, which servers are told to trust:

  sinter sign --key release.pem --new-key
  sinter sign bike-c --key release.pem
  sinter serve bike-c --trust release.pem.pub

Sign last: whatever is changed or added to the folder later makes the signature void.`;

/** \`sinter sign\`: gives the code to exit with. */
export async function run(argv: readonly string[], t: Terminal): Promise<number> {
  const program = new Command('sinter sign')
    .description('sign bundles, so that servers which trust the key load them, native code too')
    .argument('[bundles...]', 'folders of bundles')
    .requiredOption('-k, --key <file>', 'the private key')
    .option('--new-key', 'make the key first; a file that is there is left alone')
    .addHelpText('after', HELP)
    .showHelpAfterError('(see --help)')
    .exitOverride()
    .configureOutput({ writeOut: text => t.out(text), writeErr: text => t.err(text) })
    .action((bundles: string[], o: Flags) => {
      if (bundles.length === 0 && o.newKey !== true) program.error('error: say which bundles to sign');
      if (o.newKey === true) makeKey(o.key);
      const key = readFileSync(o.key, 'utf8');
      if (o.newKey === true) t.out(`${o.key}: the private key, which signs; ${o.key}.pub: the public key, to trust\n`);
      for (const dir of bundles) t.out(`${dir}/${SIGNATURE}: ${signBundle(dir, key)} files\n`);
    });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
    t.err(`error: ${messageOf(e)}\n`);
    return 1;
  }
}
/** Writes a pair of keys; only the user may read the private one. */
function makeKey(file: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 });
  writeFileSync(`${file}.pub`, createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }), { flag: 'wx' });
}
