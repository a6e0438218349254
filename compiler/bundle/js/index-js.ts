import { InternalError, must } from '../../core/diagnostic.ts';
import { dimHi, dimProd, dimSub, showDim } from '../../core/dim.ts';
import { DTYPES } from '../../core/dtype.ts';
import { commentBlock, commentLine, quoteJs } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import type { Port, Program } from '../../program/program.ts';
import type { Loader } from './loaders.ts';
import { RUNTIME } from './runtime.data.ts';
import { dimSource, computedSymbols, rangeText, solveSymbols } from '../../program/symbols.ts';
import type { RowsOfFeatures } from '../../import/importer.ts';

/** A module as index.js sees it. */
export interface IndexModule {
  readonly program: Program;
  readonly profile: Profile;
  /** Known to the module too, so that files of different compilations are not mixed. */
  readonly id: string;
  /** Where inputs and outputs lie in its memory, in bytes. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** What its loader needs besides: members of an object literal. */
  readonly more: string;
}

/** A file beside index.js, as a function that gives its URL. */
export const besideIndex = (file: string): string => `() => new URL(${quoteJs(`./${file}`)}, import.meta.url)`;

/** The source of index.js: a description of the model and the loader. All text from the model is quoted. */
export function indexJs(
  head: string,
  loader: Loader,
  modules: readonly IndexModule[],
  labels: readonly string[] | undefined,
  rows: RowsOfFeatures | undefined,
): string {
  const { program } = must(modules[0]);
  for (const m of modules) sameSignature(program, m.program);
  const index = indexOf(program);
  const ports = [...program.inputs, ...program.outputs];
  const texts = ports.some(isText);
  const spelt = ports.some(p => p.spelt);

  const port = (p: Port): string => {
    const { array, ort } = DTYPES[p.type.dtype];
    const shape = p.type.shape.map(d => (typeof d === 'number' ? d : showDim(d)));
    const size = dimHi(dimProd(p.type.shape));
    const more = p.name === rows?.input ? ', from: rowsOf(featureNames)' : p.spelt ? letters(p) : isText(p) ? textual(p) : '';
    return `{ name: ${quoteJs(p.name)}, type: ${quoteJs(p.spelt ? DTYPES.text.ort : ort)}, array: ${array.name}, shape: ${quoteJs(shape)}, size: ${size}${varying(p)}${more} }`;
  };
  const letters = (p: Port): string => (program.outputs.includes(p) ? ', to: SPELT.to' : ', from: SPELT.from');
  const textual = (p: Port): string =>
    program.outputs.includes(p) ? ', to: TEXTS.to' : `, from: TEXTS.from(${p === program.inputs.find(isText)})`;
  /** Of a port with axes that vary: which, how many elements there are for one of each, and what they are. */
  const varying = (p: Port): string => {
    const free = p.type.shape.flatMap((d, i) => (typeof d === 'number' ? [] : [i]));
    if (free.length === 0) return '';
    const rest = p.type.shape.reduce<number>((n, d) => (typeof d === 'number' ? n * d : n), 1);
    const dims = free.map(i => `f(${i}, ${dimSource(must(p.type.shape[i]), index)})`);
    return `, free: ${quoteJs(free)}, rest: ${rest}, dims: (s, f) => { ${dims.join('; ')}; }`;
  };
  const symbols = solveSymbols(program.inputs, program.symbols).map(x => {
    const got = `d[${x.port}][${x.axis}]`;
    const rest =
      x.add === 0
        ? got
        : typeof x.add === 'number'
          ? `(${got} - ${dimSource(x.add, index)})`
          : `(${got} - (${dimSource(x.add, index)}))`;
    const solve = x.mul === 1 ? rest : `${rest} / (${dimSource(x.mul, index)})`;
    return (
      `{ index: ${x.index}, lo: ${x.symbol.lo}, hi: ${x.symbol.hi}, port: ${x.port}, axis: ${x.axis}, ` +
      `range: ${quoteJs(rangeText(x))}, solve: (d, s) => ${solve} }`
    );
  });
  const guards = program.guards
    .filter(g => typeof dimSub(g.a, g.b) !== 'number')
    .map(g => `{ what: ${quoteJs(g.what)}, a: s => ${dimSource(g.a, index)}, b: s => ${dimSource(g.b, index)} }`);
  const module = ({ program: p, profile, id, inputs, outputs, more }: IndexModule): string => {
    const args = p.symbols.flatMap((s, i) => (s.from === 'input' ? [i] : []));
    const late = computedSymbols(p).map(s => p.symbols.indexOf(s));
    return `{
      profile: ${quoteJs(profile.name)}, id: ${quoteJs(id)}, ${more}
      inputs: ${quoteJs(inputs)}, outputs: ${quoteJs(outputs)}, args: ${quoteJs(args)}, late: ${quoteJs(late)},
    }`;
  };
  const list = (name: string, items: readonly string[]): string =>
    `  ${name}: [${items.map(i => `\n    ${i},`).join('')}${items.length ? '\n  ' : ''}],`;
  const bare = program.outputs.some(p => p.name === '__proto__') ? '\n  bare: true,' : '';
  return `// ${commentLine(head)}
${rows ? `/** The columns of '${commentBlock(rows.input)}'. */\nexport const featureNames = ${nameList(rows)};\n` : ''}${spelt ? RUNTIME['spelt.min.js'] : ''}${texts ? `const TEXTS = textsOf(${quoteJs(program.texts ?? [])});\n` : ''}const MODEL = {
  name: ${quoteJs(program.name)},${bare}
${list('modules', modules.map(module))}
${list('inputs', program.inputs.map(port))}
${list('outputs', program.outputs.map(port))}
${list('symbols', symbols)}
${list('guards', guards)}
${list('trap', program.traps.map(quoteJs))}
};
${labels ? `/** The names of the classes. */\nexport const labels = ${quoteJs(labels)};\n` : ''}// The loader, in short; its source with comments is runtimes/js/${loader.name}.js of the package sinter.
${loader.script}${rows ? RUNTIME['rows.min.js'] : ''}${texts ? RUNTIME['texts.min.js'] : ''}`;
}
/** The names of columns, which are f0, f1, … where the model has none. */
const nameList = (r: RowsOfFeatures): string =>
  r.names ? quoteJs(r.names) : `Array.from({ length: ${r.columns} }, (_, i) => \`f\${i}\`)`;

const isText = (p: Port): boolean => p.type.dtype === 'text';
const indexOf = (p: Program): ((name: string) => number) => {
  const at = new Map(p.symbols.map((s, i) => [s.name, i]));
  return name => must(at.get(name), `symbol ${name}`);
};
/** The modules of a bundle are the same model: they share the description. */
function sameSignature(a: Program, b: Program): void {
  const text = (p: Program): string =>
    quoteJs([
      p.name,
      p.inputs.map(portText),
      p.outputs.map(portText),
      p.symbols,
      p.guards.map(g => [showDim(g.a), showDim(g.b)]),
      p.traps,
    ]);
  if (a !== b && text(a) !== text(b))
    throw new InternalError('the modules of one bundle have different inputs, outputs or symbols');
}
const portText = (p: Port): unknown => [p.name, p.type.dtype, p.type.shape.map(showDim)];
