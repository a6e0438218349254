import { fail, type Loc } from './diagnostic.ts';

/** A character scanner shared by the text forms of all IRs. Comments run from `;` to the end of the line. */
export class Scanner {
  private i = 0;
  readonly text: string;
  readonly file: string;
  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }
  /** The place of the next token, or of one that was marked. */
  loc(mark = this.mark()): Loc {
    const before = this.text.slice(0, mark).split('\n');
    return { k: 'text', file: this.file, line: before.length, col: (before.at(-1)?.length ?? 0) + 1 };
  }
  /** Where the next token begins: for messages about it after it has been taken. */
  mark(): number {
    this.skip();
    return this.i;
  }
  fail(why: string, mark?: number): never {
    return fail('E201', { why }, this.loc(mark));
  }
  /** The text matched by the sticky regular expression at this point, or undefined. */
  try(re: RegExp): string | undefined {
    this.skip();
    return this.match(re);
  }
  take(re: RegExp, what: string): string {
    return this.try(re) ?? this.fail(`expected ${what}, found ${JSON.stringify(this.text.slice(this.i, this.i + 12))}`);
  }
  /** The text up to where `end` matches outside of parentheses. */
  until(end: RegExp, what: string): string {
    this.skip();
    const from = this.i;
    const sticky = new RegExp(end.source, 'y');
    const ends = (): boolean => {
      sticky.lastIndex = this.i;
      return sticky.test(this.text);
    };
    for (let depth = 0; this.i < this.text.length && (depth > 0 || !ends()); this.i++) {
      const ch = this.text.charAt(this.i);
      if (ch === '(') depth++;
      if (ch === ')') depth--;
    }
    if (this.i === from) this.fail(`expected ${what}`, from);
    return this.text.slice(from, this.i).trim();
  }
  has(literal: string): boolean {
    this.skip();
    if (!this.text.startsWith(literal, this.i)) return false;
    // A word must end where the literal ends: `in` does not match `input`.
    if (/\w$/.test(literal) && /\w/.test(this.text.charAt(this.i + literal.length))) return false;
    this.i += literal.length;
    return true;
  }
  lit(literal: string): void {
    if (!this.has(literal)) this.fail(`expected '${literal}', found ${JSON.stringify(this.text.slice(this.i, this.i + 12))}`);
  }
  /** Items separated by commas up to `end`. */
  list<T>(end: string, item: () => T): T[] {
    const out: T[] = [];
    if (this.has(end)) return out;
    do out.push(item());
    while (this.has(','));
    this.lit(end);
    return out;
  }
  done(): boolean {
    this.skip();
    return this.i >= this.text.length;
  }
  private match(re: RegExp): string | undefined {
    const sticky = new RegExp(re.source, re.flags.includes('y') ? re.flags : re.flags + 'y');
    sticky.lastIndex = this.i;
    const m = sticky.exec(this.text);
    if (!m) return undefined;
    this.i += m[0].length;
    return m[0];
  }
  private skip(): void {
    this.match(/(?:\s|;[^\n]*)*/y);
  }
}
