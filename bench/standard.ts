/**
 * The standard suite against every peer that is here, with its report: `npm run bench -- standard [--filter TEXT] [--profile] …`. Writes
 * out/bench.html and out/bench.json, unless --html and --json say otherwise. Takes about half an hour; `--filter` some of it, `--profile` more.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectDir } from '../fixtures/paths.ts';
import { suiteCases } from './index.ts';
import { FLAGS, run, standardModels } from './script.ts';
import './suites/make.ts';

const { values } = parseArgs({ options: FLAGS });
const out = join(projectDir, 'out');
mkdirSync(out, { recursive: true });
const html = values.html ?? join(out, 'bench.html');
const targets = values.target?.map(name => ({ name, option: name }));
const cases = standardModels().flatMap(m => suiteCases({ ...m, ...(targets && { targets }) }, 1));
await run('standard', cases, { json: join(out, 'bench.json'), ...values, html }, {});
console.log(`the report: ${html}`);
