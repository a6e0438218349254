/** Reads a varint; undefined where it is none that a length could be. */
function length(b: Uint8Array, at: number): readonly [value: number, next: number] | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = b[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return [value, at + i + 1];
  }
  return undefined;
}
const LEN_1 = 0x0a;
const LEN_2 = 0x12;
/** The text of a field of this tag; undefined where there is none. */
function textAt(b: Uint8Array, at: number, tag: number): readonly [text: string, next: number] | undefined {
  if (b[at] !== tag) return undefined;
  const size = length(b, at + 1);
  if (!size || size[0] > 4096) return undefined;
  const [n, from] = size;
  return [String.fromCharCode(...b.subarray(from, from + n)), from + n];
}
/** A GraphDef has no mark: it begins with a node, and a node with its name and its operator. */
export function isGraphDef(b: Uint8Array): boolean {
  const size = b[0] === LEN_1 ? length(b, 1) : undefined;
  const name = size && textAt(b, size[1], LEN_1);
  const op = name && textAt(b, name[1], LEN_2);
  return op !== undefined && /^[\w.\\/>-]+$/.test(name?.[0] ?? '') && /^[A-Za-z_]\w*$/.test(op[0]);
}
/** A SavedModel begins with its version, 1, and a MetaGraphDef, which begins with what it says about itself. */
export function isSavedModel(b: Uint8Array): boolean {
  const size = b[0] === 8 && b[1] === 1 && b[2] === LEN_2 ? length(b, 3) : undefined;
  return size !== undefined && b[size[1]] === LEN_1;
}
/** How far into the file a model.json says that it is a graph model: what stands before are versions and a signature. */
const HEAD = 1 << 16;
/** A graph model of TF.js: it says so, or is JSON with a topology of nodes. */
export function isGraphModel(b: Uint8Array): boolean {
  if (!/^\s*\{/.test(String.fromCharCode(...b.subarray(0, 16)))) return false;
  const head = new TextDecoder().decode(b.subarray(0, HEAD));
  return /"format"\s*:\s*"graph-model"/.test(head) || /"modelTopology"\s*:\s*\{\s*"node"\s*:/.test(head);
}
