import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { findBackendTests, SUITES } from '../suites/onnx-backend.ts';
import { collect } from './collect.ts';
import { floorFile, floorOf, type CaseRow, type Floor } from './report.ts';
import type { Way } from './runners.ts';

/** All cases, evaluated and compiled: `npm run conformance -- --on all --write` raises the floor. */
const found = findBackendTests();
const suite = found.k === 'found' ? describe : describe.skip;
const floor = JSON.parse(readFileSync(floorFile, 'utf8')) as Floor;
const ways: readonly Way[] = ['evaluate', 'wasm'];
const named = (rows: readonly CaseRow[], is: (o: CaseRow['outcomes'][number]) => boolean): string[] =>
  rows.flatMap(r => r.outcomes.filter(is).map(o => `${o.way} ${r.suite}/${r.name}: ${o.why?.split('\n')[0] ?? ''}`));

suite(`ONNX's backend tests${found.k === 'missing' ? ` (${found.why})` : ''}`, () => {
  it('no wrong result, no crash, a reason for every refusal, and as many pass as before', async () => {
    if (found.k === 'missing') return;
    const rows = await collect(
      found.root,
      { suites: SUITES, match: /(?:)/, ways, symbolic: false },
      { workers: 1, timeoutMs: 60_000 },
      () => undefined,
    );
    expect(named(rows, o => o.k === 'wrong' || o.k === 'broken')).toEqual([]);
    expect(named(rows, o => o.k === 'refused' && !/^E\d{3}$/.test(o.code ?? ''))).toEqual([]);
    const now = floorOf(rows, ways);
    // The wheel on PyPI has some fewer cases than the repository.
    for (const s of SUITES)
      if (now.cases[s] === floor.cases[s])
        for (const w of ways)
          expect([s, w, now.passed[w]?.[s] ?? 0].join(' ')).toBe(
            [s, w, Math.max(now.passed[w]?.[s] ?? 0, floor.passed[w]?.[s] ?? 0)].join(' '),
          );
  }, 900_000);
});
