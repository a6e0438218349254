/**
 * Frames between a gateway and a worker, over a Unix socket: u32 length of what follows it, u32 id, u8 kind, u8 flags, payload; numbers are
 * little-endian. The payload of a call is u32 length of its head, the head, the body; of an answer u16 status, u32 microseconds that the
 * model ran, u32 rows, u32 length of its head, the head, the body. A head is lines of text: what the call is and its headers.
 */
export const KIND = { start: 1, ready: 2, failed: 3, call: 4, answer: 5, log: 6 } as const;
export interface Frame {
  readonly id: number;
  readonly kind: number;
  readonly flags: number;
  /** A view of what was read; it stays as it is. */
  readonly payload: Buffer;
}
/** Where written frames go: a socket. */
interface Sink {
  write(bytes: Uint8Array): boolean;
}
const HEADER = 10;
/** Bodies from this size on are written without a copy of them. */
const LARGE = 1 << 14;
const ROOM = 1 << 16;
/** A frame that is longer comes from something else than a gateway or a worker. */
const LONGEST = 1 << 30;

/** Joins the frames of one turn of the event loop to one write. */
export class FrameWriter {
  readonly #sink: Sink;
  #buffer = Buffer.allocUnsafeSlow(ROOM);
  #used = 0;
  #scheduled = false;
  constructor(sink: Sink) {
    this.#sink = sink;
  }
  /** Writes a frame whose payload is `fixed` bytes that `fill` writes, the length of a head, the head and a body. */
  write(
    kind: number,
    id: number,
    head: string,
    body: Uint8Array,
    fixed = 0,
    fill?: (buffer: Buffer, at: number) => void,
    flags = 0,
  ): void {
    // A character is three bytes of UTF-8 at most.
    const most = HEADER + fixed + 4 + head.length * 3;
    const large = body.length >= LARGE;
    this.#room(most + (large ? 0 : body.length));
    const b = this.#buffer;
    const at = this.#used;
    const payload = at + HEADER;
    fill?.(b, payload);
    const n = b.write(head, payload + fixed + 4);
    b.writeUInt32LE(n, payload + fixed);
    let end = payload + fixed + 4 + n;
    b.writeUInt32LE(end + body.length - at - 4, at);
    b.writeUInt32LE(id, at + 4);
    b[at + 8] = kind;
    b[at + 9] = flags;
    if (!large) {
      b.set(body, end);
      end += body.length;
    }
    this.#used = end;
    if (large) {
      this.flush();
      this.#sink.write(body);
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
  }
  flush(): void {
    if (this.#used === 0) return;
    const bytes = this.#buffer.subarray(0, this.#used);
    // The socket keeps what it has not yet written, so the rest of the buffer serves the next turn.
    this.#buffer = this.#buffer.length - this.#used < 1 << 12 ? Buffer.allocUnsafeSlow(ROOM) : this.#buffer.subarray(this.#used);
    this.#used = 0;
    this.#sink.write(bytes);
  }
  #room(n: number): void {
    if (this.#used + n <= this.#buffer.length) return;
    this.flush();
    if (n > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(Math.max(n, ROOM));
  }
}

/** Cuts what a socket gives into frames. Throws where it is no frame. */
export class FrameReader {
  #parts: Buffer[] = [];
  #have = 0;
  #want = 4;
  readonly #take: (f: Frame) => void;
  constructor(take: (f: Frame) => void) {
    this.#take = take;
  }
  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#want) return;
    const all = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#have);
    let at = 0;
    this.#want = 4;
    while (all.length - at >= 4) {
      const length = all.readUInt32LE(at);
      if (length < HEADER - 4 || length > LONGEST) throw new Error(`a frame of ${length} bytes`);
      if (all.length - at - 4 < length) {
        this.#want = 4 + length;
        break;
      }
      const end = at + 4 + length;
      this.#take({
        id: all.readUInt32LE(at + 4),
        kind: all[at + 8] ?? 0,
        flags: all[at + 9] ?? 0,
        payload: all.subarray(at + HEADER, end),
      });
      at = end;
    }
    this.#have = all.length - at;
    this.#parts = this.#have === 0 ? [] : [all.subarray(at)];
  }
}

/** Headers as lines: a name, then its value. Neither may hold a line break, which HTTP does not allow either. */
export function headLines(headers: Readonly<Record<string, string>>): string {
  let text = '';
  for (const name in headers) text += `${name}\n${headers[name] ?? ''}\n`;
  return text;
}
export function readHeadLines(lines: readonly string[], from: number): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = from; i + 1 < lines.length; i += 2) headers[lines[i] ?? ''] = lines[i + 1] ?? '';
  return headers;
}
