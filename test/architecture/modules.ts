import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

export const root = resolve(import.meta.dirname, '../..');
/** A file of the repository by its path from the root, and what it takes from others. */
export interface Module {
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Names that it defines and exports. */
  readonly exports: readonly string[];
  /** Names that stand in it, except where it exports them: how often. */
  readonly mentions: ReadonlyMap<string, number>;
}
export interface Import {
  /** A file of the repository; undefined for packages. */
  readonly to: string | undefined;
  readonly specifier: string;
  /** The names it takes; `*`: all of them. */
  readonly names: readonly string[];
  /** Types vanish when the program runs. */
  readonly onlyTypes: boolean;
  /** It passes the names on. */
  readonly again: boolean;
}

export const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
/** The TypeScript files in folders of the repository. */
export const filesIn = (...dirs: readonly string[]): string[] =>
  dirs.flatMap(dir =>
    readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
      .filter(f => f.endsWith('.ts') && !f.includes('node_modules') && !f.includes('.cache'))
      .map(f => `${dir}/${f.replaceAll('\\', '/')}`),
  );

export function readModule(file: string): Module {
  const text = textOf(file);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022);
  const imports: Import[] = [];
  const exports: string[] = [];
  for (const s of source.statements) {
    const found = importOf(s, file);
    if (found) imports.push(found);
    exports.push(...exportsOf(s));
  }
  const mentions = new Map<string, number>();
  const visit = (n: ts.Node): void => {
    if (ts.isIdentifier(n)) mentions.set(n.text, (mentions.get(n.text) ?? 0) + 1);
    if (ts.isImportTypeNode(n) && ts.isLiteralTypeNode(n.argument) && ts.isStringLiteral(n.argument.literal))
      imports.push({ ...target(n.argument.literal.text, file), names: ['*'], onlyTypes: true, again: false });
    ts.forEachChild(n, visit);
  };
  visit(source);
  return { file, text, imports, exports, mentions };
}
function target(specifier: string, file: string): Pick<Import, 'to' | 'specifier'> {
  const own = specifier.startsWith('.');
  return { specifier, to: own ? relative(root, resolve(root, dirname(file), specifier)).replaceAll('\\', '/') : undefined };
}
function importOf(s: ts.Statement, file: string): Import | undefined {
  if (!ts.isImportDeclaration(s) && !ts.isExportDeclaration(s)) return undefined;
  if (!s.moduleSpecifier || !ts.isStringLiteral(s.moduleSpecifier)) return undefined;
  const at = target(s.moduleSpecifier.text, file);
  if (ts.isExportDeclaration(s)) {
    const list = s.exportClause && ts.isNamedExports(s.exportClause) ? s.exportClause.elements : undefined;
    const onlyTypes = s.isTypeOnly || (list !== undefined && list.every(e => e.isTypeOnly));
    return { ...at, names: list ? list.map(e => (e.propertyName ?? e.name).text) : ['*'], onlyTypes, again: true };
  }
  const clause = s.importClause;
  const list = clause?.namedBindings && ts.isNamedImports(clause.namedBindings) ? clause.namedBindings.elements : undefined;
  const all = clause?.namedBindings !== undefined && list === undefined;
  const onlyTypes =
    clause !== undefined &&
    (clause.phaseModifier === ts.SyntaxKind.TypeKeyword || (!clause.name && list !== undefined && list.every(e => e.isTypeOnly)));
  const names = [
    ...(list ?? []).map(e => (e.propertyName ?? e.name).text),
    ...(clause?.name ? ['default'] : []),
    ...(all ? ['*'] : []),
  ];
  return { ...at, names, onlyTypes, again: false };
}
function exportsOf(s: ts.Statement): string[] {
  if (!ts.canHaveModifiers(s) || ts.getModifiers(s)?.some(m => m.kind === ts.SyntaxKind.ExportKeyword) !== true) return [];
  if (ts.isVariableStatement(s))
    return s.declarationList.declarations.flatMap(d => (ts.isIdentifier(d.name) ? [d.name.text] : []));
  const named = s as ts.Statement & { readonly name?: ts.Identifier };
  return named.name ? [named.name.text] : [];
}
