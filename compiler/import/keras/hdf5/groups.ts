import { skip, take, textOf, u16, u32, u8 } from '../../shared/cursor.ts';
import { address, cText, damaged, expectMark, part, uint, unknown, type H5File } from './file.ts';
import { MESSAGE, messageCursor, messageOf, type Message } from './header.ts';

/** What a group leads to: addresses of object headers by name, in the order of the file. */
type Links = ReadonlyMap<string, number>;

/** The links of a group, by the messages of its header. */
export function linksOf(f: H5File, messages: readonly Message[], what: string): Links {
  const out = new Map<string, number>();
  const table = messageOf(messages, MESSAGE.symbolTable);
  if (table) {
    const c = messageCursor(f, table, 'a symbol table');
    const [tree, heap] = [address(c), address(c)];
    if (tree === undefined || heap === undefined) return damaged(f, 'a group without a table', what);
    symbols(f, tree, localHeap(f, heap), out, undefined);
  }
  for (const m of messages) {
    if (m.type === MESSAGE.linkInfo && hasDense(f, m)) unknown(f, "a group in the form of libver='latest'", what);
    if (m.type === MESSAGE.link) link(f, m, out);
  }
  return out;
}
/** Names of a group (section III.D). */
function localHeap(f: H5File, at: number): Uint8Array {
  const c = part(f, at, 'a heap of names');
  expectMark(f, c, 'HEAP');
  skip(c, 4);
  const size = uint(c, 8);
  skip(c, 8);
  const data = part(f, address(c) ?? damaged(f, 'a heap without data'), 'a heap of names', size);
  return data.bytes;
}
/** A node of a B-tree of a group and what is below it (sections III.A.1 and III.B). Levels go down, so the recursion is short. */
function symbols(f: H5File, at: number, names: Uint8Array, out: Map<string, number>, above: number | undefined): void {
  const c = part(f, at, 'a tree of names');
  expectMark(f, c, 'TREE');
  const [type, level] = [u8(c), u8(c)];
  if (type !== 0 || (above !== undefined && level !== above - 1)) damaged(f, 'a tree of names is no such tree');
  const used = u16(c);
  skip(c, 16);
  for (let i = 0; i < used; i++) {
    skip(c, 8);
    const child = address(c) ?? damaged(f, 'a tree of names ends in nothing');
    if (level > 0) symbols(f, child, names, out, level);
    else symbolNode(f, child, names, out);
  }
}
function symbolNode(f: H5File, at: number, names: Uint8Array, out: Map<string, number>): void {
  const c = part(f, at, 'a list of names');
  expectMark(f, c, 'SNOD');
  skip(c, 2);
  const count = u16(c);
  for (let i = 0; i < count; i++) {
    const name = uint(c, 8);
    const header = address(c) ?? damaged(f, 'a name without an object');
    const cached = u32(c);
    skip(c, 20);
    if (name >= names.length) damaged(f, `a name at ${name} of ${names.length} bytes`);
    // 2: a symbolic link, which Keras does not write.
    if (cached !== 2) out.set(cText(names.subarray(name)), header);
  }
}
function link(f: H5File, m: Message, out: Map<string, number>): void {
  const c = messageCursor(f, m, 'a link');
  const version = u8(c);
  if (version !== 1) unknown(f, `a link of version ${version}`);
  const flags = u8(c);
  const hard = (flags & 8) === 0 || u8(c) === 0;
  skip(c, ((flags & 4) !== 0 ? 8 : 0) + ((flags & 16) !== 0 ? 1 : 0));
  const name = textOf(take(c, uint(c, 1 << (flags & 3))));
  if (hard) out.set(name, address(c) ?? damaged(f, `the link '${name}' leads nowhere`));
}
/** Whether links or attributes lie in a heap of their own: link info (IV.A.2.c) and attribute info (IV.A.2.v). */
export function hasDense(f: H5File, m: Message): boolean {
  const c = messageCursor(f, m, 'where links lie');
  skip(c, 1);
  const flags = u8(c);
  skip(c, (flags & 1) === 0 ? 0 : m.type === MESSAGE.linkInfo ? 8 : 2);
  return address(c) !== undefined;
}
