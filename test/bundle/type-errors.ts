import ts from 'typescript';

/** TypeScript's own declarations, which every program has. */
const libraries = new Map<string, ts.SourceFile | undefined>();
/** Errors of a program that uses the declarations as a bundle's user would. */
export function typeErrors(dts: string, program: string): string[] {
  const files = new Map([
    ['/bundle/index.d.ts', dts],
    ['/main.ts', program],
  ]);
  const options: ts.CompilerOptions = {
    strict: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
    // TypeScript's own declarations are right; those of the bundle are checked.
    skipDefaultLibCheck: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const read = host.readFile.bind(host);
  const exists = host.fileExists.bind(host);
  const source = host.getSourceFile.bind(host);
  host.readFile = f => files.get(f) ?? read(f);
  host.fileExists = f => files.has(f) || exists(f);
  host.directoryExists = () => true;
  host.getSourceFile = (f, v) => {
    const t = files.get(f);
    if (t !== undefined) return ts.createSourceFile(f, t, v);
    if (!libraries.has(f)) libraries.set(f, source(f, v));
    return libraries.get(f);
  };
  const p = ts.createProgram(['/main.ts', '/bundle/index.d.ts'], options, host);
  return ts.getPreEmitDiagnostics(p).map(d => ts.flattenDiagnosticMessageText(d.messageText, '\n'));
}
