/** Whatever a model calls its tensors: each language gives back the very text, and nothing of it runs. The real tools are asked. */
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Nodes } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import {
  commentBlock,
  codeMarkdown,
  commentLine,
  docPython,
  keyJs,
  oneLine,
  quoteC,
  quoteDot,
  quoteHtml,
  quoteJs,
  quoteMarkdown,
  quotePython,
  quoteShell,
  quoteTerminal,
  quoteToml,
} from '../compiler/core/quote.ts';

const dir = mkdtempSync(join(tmpdir(), 'sinter-quote-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Ends and beginnings of what each language has, and what people and attackers call tensors. */
const NASTY = [
  ['', ' ', '_', '__proto__', 'x', 'onnx::Add_3', 'a/b:0', '名前', '😀', '\ud83d', 'café', '\u2028\u2029', '\ufeffx'],
  ['"', "'", '`', '\\', '\\\\', '\\"', '"""', "'''", '${x}', '$(touch PWN)', '$$(shell touch PWN)', '`touch PWN`', '%s%n'],
  ['*/ x', '/* x', '// x', '# x', '--', '<!--', '-->', '<script>alert(1)</script>', '</script>', '&amp;', ']]>'],
  ['??/', '??/" x', '??=', '%:', '\\u0041', '\\x41', '\\0', '\0', 'a\nb', 'a\r\nb', 'a\tb', 'x\\', 'x??/', '@x@', 'a;b', '{{x}}'],
  ['"); system("touch PWN"); //', '"; import os; os.system("touch PWN") #', '\x1b[31m', '\x7f', '\x800', '1', '123', '7a'],
].flat();
const text = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.array(fc.constantFrom(...NASTY, ...Array.from('?/\\"\'`$#*;@%{}<>&\n\r\t 0aé')), { maxLength: 6 }).map(x => x.join('')),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
/** The same texts each time, so that one run of a compiler serves for all. */
const TEXTS = [...NASTY, ...fc.sample(text, { numRuns: 400, seed: 7 })];
const bytesOf = (s: string): Buffer => Buffer.from(s, 'utf8');
/** What UTF-8 can hold of it. */
const wellFormed = (s: string): string => bytesOf(s).toString('utf8');

function run(command: string, args: readonly string[], input = ''): Buffer {
  const r = spawnSync(command, args, { cwd: dir, input, maxBuffer: 2 ** 26 });
  if (r.error || r.status !== 0) throw new Error(`${command}: ${String(r.error ?? r.stderr)}`);
  return r.stdout;
}
const write = (name: string, content: string): string => {
  writeFileSync(join(dir, name), content);
  return name;
};
/** Texts as a program printed them: each after its length and a newline. */
function framed(out: Buffer): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0; at < out.length;) {
    const end = out.indexOf(10, at);
    const n = Number(out.subarray(at, end).toString());
    all.push(out.subarray(end + 1, end + 1 + n));
    at = end + 1 + n;
  }
  return all;
}
const expectAll = (got: readonly Buffer[], want: readonly string[]): void => {
  expect(got.map(b => b.toString('latin1'))).toEqual(want.map(s => bytesOf(s).toString('latin1')));
};

describe('a text', () => {
  it.each(['-std=c99', '-std=c11', '-std=gnu11 -trigraphs'])('comes back from C (%s), and comments hold it', std => {
    const source = TEXTS.map(s => `  {${quoteC(s)}, sizeof(${quoteC(s)}) - 1}, /* ${commentBlock(s)} */ // ${commentLine(s)}`);
    write(
      'texts.c',
      `#include <stdio.h>\nstatic const struct { const char *s; size_t n; } T[] = {\n${source.join('\n')}\n};\n` +
        'int main(void) { for (size_t i = 0; i < sizeof T / sizeof *T; i++) { printf("%zu\\n", T[i].n); fwrite(T[i].s, 1, T[i].n, stdout); } }\n',
    );
    run('cc', [...std.split(' '), '-Werror', '-Wall', '-Wno-unused-value', '-o', 'texts', 'texts.c']);
    expectAll(framed(run('./texts', [])), TEXTS);
  });
  it('comes back from JavaScript as a value and as a key, and comments hold it', () => {
    write(
      'texts.mjs',
      `const t = [\n${TEXTS.map(s => `[${quoteJs(s)}, {${keyJs(s)}: 1}], /* ${commentBlock(s)} */ // ${commentLine(s)}`).join('\n')}\n];\n` +
        'console.log(JSON.stringify(t.map(([s, o]) => [s, Object.keys(o)[0]])));\n',
    );
    const got = JSON.parse(run(process.execPath, ['texts.mjs']).toString()) as readonly (readonly [string, string])[];
    expect(got.map(g => g[0])).toEqual(TEXTS);
    expect(got.map(g => g[1])).toEqual(TEXTS);
  });
  it('is a type of TypeScript', () => {
    const source = TEXTS.map(
      (s, i) => `/** ${commentBlock(s)} */\nexport interface T${i} { ${keyJs(s)}: ${quoteJs(s)} } // ${commentLine(s)}`,
    );
    const file = ts.createSourceFile('t.ts', source.join('\n'), ts.ScriptTarget.ES2022);
    const texts = file.statements.map(n => {
      const member = ts.isInterfaceDeclaration(n) ? n.members[0] : undefined;
      const type = member && ts.isPropertySignature(member) ? member.type : undefined;
      return type && ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal) ? type.literal.text : undefined;
    });
    expect(texts).toEqual(TEXTS);
  });
  it('comes back from Python, and comments hold it', () => {
    write(
      'texts.py',
      `import sys\nT = [\n${TEXTS.map(s => `  ${quotePython(s)}, # ${commentLine(s)}`).join('\n')}\n]\n` +
        'for t in T:\n  b = t.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()\n' +
        '  sys.stdout.buffer.write(b"%d\\n" % len(b) + b)\n',
    );
    expectAll(framed(run('python3', ['texts.py'])), TEXTS.map(wellFormed));
  });
  it('comes back from TOML', () => {
    write('texts.toml', `t = [\n${TEXTS.map(s => `  ${quoteToml(s)}, # ${commentLine(s)}`).join('\n')}\n]\n`);
    const read =
      'import sys, tomllib\nfor t in tomllib.load(open("texts.toml", "rb"))["t"]:\n  b = t.encode(); sys.stdout.buffer.write(b"%d\\n" % len(b) + b)';
    expectAll(framed(run('python3', ['-c', read])), TEXTS.map(wellFormed));
  });
  it('comes back from a shell, and comments of shells, make and CMake hold it', () => {
    const lines = TEXTS.map(s => wellFormed(s).replaceAll('\0', ''));
    const comments = TEXTS.map(s => `# ${commentLine(s)}\n`).join('');
    const script = lines.map(s => `printf '%s\\n' ${quoteShell(`${s}|`)}`).join('\n');
    expect(run('sh', [write('texts.sh', comments + script)]).toString()).toBe(lines.map(s => `${s}|\n`).join(''));
    expect(run('make', ['-s', '-f', write('texts.mk', `${comments}all:\n`)]).toString()).toBe('');
    expect(run('cmake', ['-P', write('texts.cmake', comments)]).toString()).toBe('');
  });
  it('has no markup in HTML', () => {
    for (const s of TEXTS) {
      expect(quoteHtml(s)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
      const back: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
      expect(quoteHtml(s).replace(/&(amp|lt|gt|quot|#39);/g, (_, n: string) => back[n] ?? '')).toBe(oneLine(s));
    }
  });
  it('stays inside of a label of Graphviz', async () => {
    const { Graphviz } = await import('@hpcc-js/wasm-graphviz');
    const nodes = TEXTS.map((s, i) => `n${i} [label="${quoteDot(s)}", tooltip="${quoteDot(s)}"];`);
    const svg = (await Graphviz.load()).layout(`digraph {\n${nodes.join('\n')}\n}`, 'svg', 'dot');
    expect(svg.match(/class="node"/g)).toHaveLength(TEXTS.length);
    expect(svg).not.toMatch(/<script|href/);
  });
  it('does nothing to a terminal', () => {
    for (const s of TEXTS) expect(quoteTerminal(s)).not.toMatch(/[\p{Cc}\p{Cf}](?<![\n\t])/u);
    expect(quoteTerminal('a\u001b[31m\u202e\n\tb é😀')).toBe('a\\u{1b}[31m\\u{202e}\n\tb é😀');
  });
  it('is text of a line of Markdown, and code that comes back', () => {
    for (const s of TEXTS) {
      const [all, code]: [Set<string>, string[]] = [new Set(), []];
      const walk = (n: Nodes): void => {
        all.add(n.type);
        if (n.type === 'inlineCode') code.push(n.value);
        if ('children' in n) n.children.forEach(walk);
      };
      walk(fromMarkdown(`${quoteMarkdown(s)}\n\n${codeMarkdown(s)}\n`));
      expect([s, [...all].filter(k => !['root', 'paragraph', 'text', 'inlineCode'].includes(k))]).toEqual([s, []]);
      expect(code.map(c => c.trim())).toEqual([oneLine(s).trim()]);
    }
  });
  it('is a documentation of Python', () => {
    write('doc.py', TEXTS.map((s, i) => `def f${i}():\n  """${docPython(s)}"""\n`).join(''));
    const docs = run('python3', [
      '-c',
      `import doc, json; print(json.dumps([getattr(doc, "f%d" % i).__doc__ for i in range(${TEXTS.length})]))`,
    ]);
    expect(JSON.parse(docs.toString())).toEqual(TEXTS.map(oneLine));
  });
  it('never runs', () => {
    expect(readdirSync(dir).filter(f => f.startsWith('PWN'))).toEqual([]);
  });
});
