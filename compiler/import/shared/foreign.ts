import { isPickle } from './pickle-names.ts';

/** A format that a file announces by its first bytes, other than a bare protobuf message such as ONNX. */
interface Magic {
  readonly name: string;
  readonly at: number;
  readonly bytes: readonly number[];
}
const ascii = (s: string): number[] => Array.from(s, ch => ch.charCodeAt(0));
const magic = (name: string, at: number, bytes: readonly number[] | string): Magic => ({
  name,
  at,
  bytes: typeof bytes === 'string' ? ascii(bytes) : bytes,
});
const MAGICS: readonly Magic[] = [
  magic('a TensorFlow Lite model', 4, 'TFL3'),
  magic("onnxruntime's own ORT format; compile the .onnx file that it was made from", 4, 'ORTM'),
  magic('an HDF5 file', 0, [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]),
  magic('a zip archive (PyTorch .pt, .npz?)', 0, [0x50, 0x4b, 0x03, 0x04]),
  magic('an empty zip archive', 0, [0x50, 0x4b, 0x05, 0x06]),
  magic('a gzip archive; unpack it first', 0, [0x1f, 0x8b, 0x08]),
  magic('an xz archive; unpack it first', 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a]),
  magic('a zstd archive; unpack it first', 0, [0x28, 0xb5, 0x2f, 0xfd]),
  magic('a tar archive; unpack it first', 257, 'ustar'),
  magic('a GGUF model', 0, 'GGUF'),
  magic('a CatBoost model; export it with save_model(format="onnx")', 0, 'CBM1'),
  magic("a text dump of XGBoost, which rounds numbers; save the model with the booster's save_model", 0, 'booster['),
  magic('a NumPy array', 0, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]),
  magic('a WebAssembly module', 0, [0x00, 0x61, 0x73, 0x6d]),
  magic('an ELF program', 0, [0x7f, 0x45, 0x4c, 0x46]),
  magic('a Git LFS pointer instead of the file itself; run `git lfs pull`', 0, 'version https://git-lfs'),
  magic('a Python pickle (PyTorch .pth?)', 0, [0x80, 0x02]),
];

/** What a file is by its first bytes, in words, if it is certainly not a protobuf message such as an ONNX model. */
export function foreignFormat(bytes: Uint8Array): string | undefined {
  const hit = MAGICS.find(m => m.bytes.every((b, i) => bytes[m.at + i] === b));
  if (hit) return hit.name;
  if (isPickle(bytes)) return 'a Python pickle';
  // Eight bytes of header length, then JSON.
  if (bytes.length > 9 && bytes[8] === 0x7b && bytes[6] === 0 && bytes[7] === 0 && /^["}\s]/.test(text(bytes, 9, 1)))
    return 'a safetensors file, which holds weights and no graph';
  const head = text(bytes, 0, 256)
    .replace(/^\xEF\xBB\xBF/, '')
    .trimStart();
  if (/^(?:\{|\[\s*(?:[[{"\d-]|$))/.test(head)) return 'a JSON file';
  if (/^<(?:!doctype|html|head|body)/i.test(head)) return 'a web page, as servers send it that refuse a download';
  if (/^<\?xml/i.test(head)) return 'an XML file';
  if (/^<\s*ir_version/.test(head)) return "ONNX's text form; save the model in its binary form";
  return undefined;
}
function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
