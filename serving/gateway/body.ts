import type { IncomingMessage } from 'node:http';
import { ServeError } from '../core/errors.ts';

const NOTHING = new Uint8Array(0);
/** Reads a body. `done` gets undefined where the client went away. 413 where it is longer than it may be, as soon as that is known. */
export function readBody(req: IncomingMessage, most: number, done: (body: Uint8Array | ServeError | undefined) => void): void {
  const said = req.headers['content-length'];
  if (said !== undefined && Number(said) > most) {
    done(tooLong(most));
    return;
  }
  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  let bytes = 0;
  let over = false;
  const end = (result: Uint8Array | ServeError | undefined): void => {
    if (over) return;
    over = true;
    done(result);
  };
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > most) {
      req.pause();
      end(tooLong(most));
    } else if (first === undefined) first = chunk;
    else (rest ??= [first]).push(chunk);
  });
  req.on('end', () => end(rest ? Buffer.concat(rest, bytes) : (first ?? NOTHING)));
  req.on('close', () => end(undefined));
}
const tooLong = (most: number): ServeError => new ServeError(413, `the body is longer than ${most} bytes`);
