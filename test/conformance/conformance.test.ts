import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, it } from '@jest/globals';
import { needs, onnxTests } from '../needs.ts';
import { SUITES } from '../suites/onnx-backend.ts';
import { collect } from './collect.ts';
import { endsOf, floorFile, type Floor } from './report.ts';

/** How every case ends, evaluated and compiled. `npm run conformance -- --on all --write` writes what holds now. */
const floor = JSON.parse(readFileSync(floorFile, 'utf8')) as Floor;
const WAYS = ['evaluate', 'wasm'] as const;

needs(onnxTests).describe("ONNX's backend tests", () => {
  it('pass, but for those that floor.json names, which are refused for the reason that is given there', async () => {
    const rows = await collect(
      { suites: SUITES, match: /(?:)/, ways: WAYS, symbolic: false },
      { workers: availableParallelism(), timeoutMs: 60_000 },
      () => undefined,
    );
    for (const way of WAYS) {
      const now = endsOf(rows, way);
      // Another version of the wheel onnx has other cases: what is new must pass, or stand in floor.json with its reason.
      expect([way, now.rest]).toEqual([way, floor.rest]);
      expect([way, now.passed]).toEqual([way, floor.passed]);
    }
  }, 900_000);
});
needs(onnxTests, 'cc').describe("one of ten of ONNX's backend tests", () => {
  it('ends as C as it does otherwise', async () => {
    const rows = await collect(
      { suites: SUITES, match: /(?:)/, ways: ['c'], symbolic: false, every: 10 },
      { workers: availableParallelism(), timeoutMs: 60_000 },
      () => undefined,
    );
    const ends = (f: Floor): string[] =>
      rows.map(({ suite, name }) => {
        const end = Object.entries(f.rest).find(([, cases]) => cases.includes(`${suite}/${name}`))?.[0];
        return `${suite}/${name} ${end ?? 'passed'}`;
      });
    expect(ends(endsOf(rows, 'c'))).toEqual(ends(floor));
  }, 900_000);
});
