import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { ServeError } from '../core/errors.ts';
import { message } from '../protocols/oip/messages.ts';
import { metadataOf, SERVER } from '../protocols/oip/metadata.ts';
import { failed, type Context } from './context.ts';
import { checkModel, repositoryIndex, repositoryLoad, repositoryUnload } from './oip.ts';
import { text } from './answer.ts';

/** inference.GRPCInferenceService. Bodies of inferences pass through as they are: workers read them. */
const CODES: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  404: status.NOT_FOUND,
  409: status.ALREADY_EXISTS,
  413: status.RESOURCE_EXHAUSTED,
  501: status.UNIMPLEMENTED,
  503: status.RESOURCE_EXHAUSTED,
  504: status.DEADLINE_EXCEEDED,
  507: status.RESOURCE_EXHAUSTED,
};
type Request = Readonly<Record<string, unknown>>;
const field = (r: Request, name: string): string => {
  const v = r[name];
  return typeof v === 'string' ? v : '';
};
/** The first two fields of a ModelInferRequest: the model's name and version. */
function modelOf(body: Buffer): { readonly name: string; readonly version: string } {
  let name = '';
  let version = '';
  try {
    for (const r = protobuf.Reader.create(body); r.pos < r.len;) {
      const tag = r.uint32();
      if (tag === 10) name = r.string();
      else if (tag === 18) version = r.string();
      else if (tag >>> 3 > 2 && name !== '') break;
      else r.skipType(tag & 7);
    }
  } catch {
    throw new ServeError(400, 'the message cannot be read');
  }
  return { name, version };
}

export function grpcServer(c: Context): Server {
  const server = new Server({
    'grpc.max_receive_message_length': c.limits.bodyBytes,
    'grpc.max_send_message_length': c.limits.bodyBytes,
    'grpc.max_concurrent_streams': 1024,
  });
  const same = (b: Buffer): Buffer => b;
  type Run = (body: Buffer) => Promise<Uint8Array> | Uint8Array;
  const methods: Record<string, Run> = {};
  /** A small message, which is read here. */
  const add = (name: string, request: string, response: string, run: (r: Request) => Promise<object> | object): void => {
    const [from, to] = [message(request), message(response)];
    methods[name] = async body => {
      let r: Request;
      try {
        r = from.decode(body);
      } catch {
        throw new ServeError(400, 'the message cannot be read');
      }
      return to.encode(await run(r)).finish();
    };
  };
  const ready = (): boolean => c.pool.ready && c.ending === 'no';
  add('ServerLive', 'Empty', 'Live', () => ({ live: true }));
  add('ServerReady', 'Empty', 'Ready', () => ({ ready: ready() }));
  add('ServerMetadata', 'Empty', 'ServerMetadata', () => SERVER);
  add('ModelReady', 'ModelName', 'Ready', r => {
    checkModel(c, field(r, 'name'), field(r, 'version'));
    return { ready: ready() };
  });
  add('ModelMetadata', 'ModelName', 'ModelMetadata', r => {
    const name = checkModel(c, field(r, 'name'), field(r, 'version'));
    const info = c.pool.models().find(m => m.name === name);
    return info ? metadataOf(info) : {};
  });
  add('RepositoryIndex', 'IndexRequest', 'Index', r => ({ models: repositoryIndex(c, r['ready'] === true) }));
  // Of KServe field 1 is the model, of Triton field 2.
  const named = (r: Request): string => field(r, 'second') || field(r, 'first');
  add('RepositoryModelLoad', 'RepositoryModel', 'RepositoryAnswer', async r => {
    await repositoryLoad(c, named(r));
    return { modelName: named(r), isDone: true };
  });
  add('RepositoryModelUnload', 'RepositoryModel', 'RepositoryAnswer', async r => {
    await repositoryUnload(c, named(r));
    return { modelName: named(r), isDone: true };
  });
  methods['ModelInfer'] = async body => {
    const begun = performance.now();
    const { name, version } = modelOf(body);
    checkModel(c, name, version);
    const answer = await c.pool
      .call({ op: 'infer-grpc', model: name, headers: {}, body })
      .catch((e: unknown) => failed(c, e, text));
    const ms = performance.now() - begun;
    c.stats.add(ms, answer.status >= 400);
    c.metrics.count(name, answer, Math.round(ms * 1000));
    if (answer.status !== 200) throw new ServeError(answer.status, Buffer.from(answer.body).toString('utf8'));
    return answer.body;
  };
  server.addService(
    Object.fromEntries(
      Object.keys(methods).map(name => [
        name,
        {
          path: `/inference.GRPCInferenceService/${name}`,
          requestStream: false,
          responseStream: false,
          requestSerialize: same,
          requestDeserialize: same,
          responseSerialize: same,
          responseDeserialize: same,
        },
      ]),
    ),
    Object.fromEntries(
      Object.entries(methods).map(([name, run]) => [
        name,
        (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => {
          Promise.resolve()
            .then(() => run(call.request))
            .then(
              bytes => done(null, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
              (e: unknown) => {
                const a = failed(c, e, text);
                done({ code: CODES[a.status] ?? status.INTERNAL, details: Buffer.from(a.body).toString('utf8') });
              },
            );
        },
      ]),
    ),
  );
  return server;
}
/** Binds the server, and gives the port. */
export function listenGrpc(server: Server, host: string, port: number): Promise<number> {
  return new Promise((done, failed) => {
    server.bindAsync(`${host.includes(':') ? `[${host}]` : host}:${port}`, ServerCredentials.createInsecure(), (e, bound) =>
      e ? failed(e) : done(bound),
    );
  });
}
