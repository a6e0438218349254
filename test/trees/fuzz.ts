/**
 * Random models of the installed XGBoost and LightGBM, compiled, against those libraries: `npm run fuzz -- trees [COUNT] [SEED]`.
 * Needs Python with xgboost and lightgbm (any versions; SINTER_PYTHON names the interpreter). With `FROM` after the seed, models FROM and
 * on; with `--keep FOLDER`, the models and what the libraries predict stay there. With `--on c` as C instead of WebAssembly, for C_TARGET.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { TREE_STRATEGIES } from '../../compiler/ops/lowering.ts';
import { casesAmong, type TreeCase } from './cases.ts';
import { differences } from './check.ts';
import { firstDeparture } from './departure.ts';
import { byBundle, byC, waysNamed } from './ways.ts';

const { values: args, positionals } = parseArgs({
  options: { keep: { type: 'string' }, on: { type: 'string', default: 'evaluate,wasm' } },
  allowPositionals: true,
});
const { keep } = args;
const [count = 200, seed = 1, from = 0] = positionals.map(Number);
const ways = waysNamed(args.on);
const python = process.env['SINTER_PYTHON'] ?? 'python3';
const script = fileURLToPath(new URL('../../fixtures/trees/fuzz.py', import.meta.url));
/** Models that Python makes at a time, while those before are compared. */
const PART = 30;

/** Trains models and gives their folder. */
function train(first: number, models: number): Promise<string> {
  const folder = keep ?? mkdtempSync(join(tmpdir(), 'sinter-fuzz-'));
  return new Promise((resolve, reject) => {
    const p = spawn(python, [script, folder, String(models), String(seed), 'both', String(first)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    p.stderr.on('data', (d: Buffer) => {
      text += d.toString();
    });
    p.on('error', reject);
    p.on('close', code => {
      if (code === 0) {
        process.stderr.write(text);
        resolve(folder);
      } else
        reject(
          new Error(
            `${python} fixtures/trees/fuzz.py failed; it needs xgboost and lightgbm (pip install xgboost lightgbm)\n${text}`,
          ),
        );
    });
  });
}
function* casesIn(folder: string): Generator<TreeCase> {
  for (const archive of readdirSync(folder)) {
    const files = readdirSync(join(folder, archive)).map(
      f => [f, new Uint8Array(readFileSync(join(folder, archive, f)))] as const,
    );
    yield* casesAmong(new Map(files), archive);
  }
}
/** Strategies that are forced in turns, besides what is chosen. */
const forced = TREE_STRATEGIES.filter(s => s !== 'auto');
const targets = ['wasm-simd', 'wasm-mvp'];
/** What is wrong with a case, in words; `turn` chooses the strategy that is forced. */
async function wrongs(c: TreeCase, turn: number): Promise<string[]> {
  const out: string[] = [];
  const treeStrategy = forced[turn % forced.length] ?? 'walk';
  const target = targets[Math.floor(turn / forced.length) % targets.length] ?? 'wasm-simd';
  const all: typeof ways = ways.flatMap(way => {
    const [name] = way;
    if (name === 'wasm') return [way, [`${treeStrategy}, ${target}`, k => byBundle(k, { treeStrategy, target })]];
    return name === 'c' ? [way, [`c, ${treeStrategy}`, k => byC(k, { treeStrategy })]] : [way];
  });
  for (const [name, run] of all) {
    try {
      const got = await run(c);
      const found = differences(c, got);
      out.push(...found.map(d => `${d} (${name})`));
      const where = found.length > 0 ? firstDeparture(c, got) : undefined;
      if (where !== undefined) out.push(`  ${where}`);
    } catch (e) {
      out.push(`${c.library} ${c.version} ${c.name}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)} (${name})`);
    }
  }
  return out;
}

const tally = new Map<string, { models: Set<string>; cases: number; rows: number; good: number }>();
let [wrong, turn] = [0, 0];
let next = train(from, Math.min(PART, count));
for (let first = from; first < from + count; first += PART) {
  const folder = await next;
  if (first + PART < from + count) next = train(first + PART, Math.min(PART, from + count - first - PART));
  for (const c of casesIn(folder)) {
    const found = await wrongs(c, turn++);
    for (const f of found) process.stdout.write(`${f}\n`);
    const key = `${c.library} ${c.version}`;
    const t = tally.get(key) ?? { models: new Set(), cases: 0, rows: 0, good: 0 };
    tally.set(key, t);
    t.models.add(`${first} ${c.file}`);
    t.cases++;
    t.rows += c.rows.dims[0] ?? 0;
    if (found.length === 0) t.good++;
    else wrong++;
  }
  if (keep === undefined) rmSync(folder, { recursive: true });
}
for (const [key, t] of tally)
  process.stdout.write(`${key}: ${t.good} of ${t.cases} cases of ${t.models.size} models agree, ${t.rows} rows\n`);
process.exitCode = wrong > 0 ? 1 : 0;
