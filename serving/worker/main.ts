import { Socket } from 'node:net';
import { messageOf } from '../core/errors.ts';
import { FrameReader, FrameWriter, KIND, headLines, type Frame } from '../core/frames.ts';
import type { Answer, Call, Op, WorkerStart } from '../core/call.ts';
import { readHeadLines } from '../core/frames.ts';
import { openWorker, type Worker } from './worker.ts';

/** The process of an instance: it reads frames from file 3 and answers them; it ends with its gateway. */
const socket = new Socket({ fd: 3, readable: true, writable: true });
const writer = new FrameWriter(socket);
const NOTHING = new Uint8Array(0);
let worker: Worker | undefined;

function answer(id: number, a: Answer): void {
  writer.write(KIND.answer, id, headLines(a.headers), a.body, 10, (b, at) => {
    b.writeUInt16LE(a.status, at);
    b.writeUInt32LE(a.microseconds ?? 0, at + 2);
    b.writeUInt32LE(a.rows ?? 0, at + 6);
  });
}
function readCall(p: Buffer): Call {
  const end = 4 + p.readUInt32LE(0);
  const lines = p.toString('utf8', 4, end).split('\n');
  return {
    op: lines[0] as Op,
    model: lines[1] === '' ? undefined : lines[1],
    headers: readHeadLines(lines, 2),
    body: p.subarray(end),
  };
}
function take(f: Frame): void {
  if (f.kind === KIND.call) worker?.call(readCall(f.payload), a => answer(f.id, a));
  else if (f.kind === KIND.start)
    openWorker(JSON.parse(f.payload.toString('utf8', 4)) as WorkerStart).then(
      w => {
        worker = w;
        writer.write(KIND.ready, 0, '', NOTHING);
      },
      (e: unknown) => writer.write(KIND.failed, 0, messageOf(e), NOTHING),
    );
}
const reader = new FrameReader(take);
socket.on('data', chunk => reader.push(chunk));
socket.on('end', () => process.exit(0));
socket.on('error', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
// A terminal sends it to the whole group; the gateway decides when its workers end.
process.on('SIGINT', () => undefined);
