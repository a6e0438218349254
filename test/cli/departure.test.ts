import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { openBundle } from '../../compiler/run/bundle.ts';
import { compare, divergence } from '../../compiler/verify/compare.ts';
import { openOriginal, reference, type Reference } from '../../compiler/reference/reference.ts';
import { showDivergence } from '../../compiler/cli/verify.ts';
import { parityOf, settled } from '../../compiler/verify/parity.ts';
import { findDivergence } from '../../compiler/verify/nodes.ts';
import { compile } from '../../compiler/node.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { model, node, value } from '../onnx-writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'sinter-departure-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const tol = { rtol: 1e-3, atol: 1e-5 };

/** x → Exp → Sqrt → Neg → y */
const path = join(dir, 'chain.onnx');
writeFileSync(
  path,
  model([
    node('Exp', ['x'], ['a']),
    node('Sqrt', ['a'], ['b']),
    node('Neg', ['b'], ['y']),
    value(11, 'x', 1, [3]),
    value(12, 'y', 1, [3]),
  ]),
);
const inputs = new Map([['x', fromNumbers('f32', [3], [0, 1, 2])]]);

describe('finding the first value that diverges', () => {
  it('names the node, and the element', async () => {
    const { files } = await compile({ model: path });
    for (const [f, bytes] of files) writeFileSync(join(dir, f), bytes);
    const bundle = await openBundle(dir);
    const original = openOriginal(path, {});
    const good = await reference(original, 'evaluate');
    expect(showDivergence(await findDivergence(bundle, original, good, inputs, tol))).toMatch(
      /^each of 3 values inside the model agrees on its own; the furthest/,
    );
    // A reference that is wrong from the square root on stands for a compiler that is.
    const wrong = (name: string, t: Tensor): Tensor =>
      name === 'b' || name === 'y' ? fromNumbers('f32', [3], [1, 1.6, 2.7]) : t;
    const bad: Reference = {
      ...good,
      run: async i => new Map([...(await good.run(i))].map(([n, t]) => [n, wrong(n, t)])),
      values: async (names, i) => new Map([...(await good.values(names, i))].map(([n, t]) => [n, wrong(n, t)])),
    };
    expect(showDivergence(await findDivergence(bundle, original, bad, inputs, tol))).toMatch(
      /^the first value that diverges is 'b' of chain\.onnx#\S+ \(Sqrt\), f32\[3\]: by 1\.8\de-2 of its largest, 1\.648\d+ instead of 1\.60\d* at element 1\. All/,
    );
    const parity = await parityOf(bundle, bad, [inputs], tol);
    expect(parity.ok).toBe(false);
    expect(parity.outputs[0]).toMatchObject({ name: 'y', ok: false });
  });
});

describe('judging by the model in float64', () => {
  const f = (...x: number[]): Tensor => fromNumbers('f32', [x.length], x);
  const gives = (t: Tensor): Pick<Reference, 'name' | 'version' | 'run'> => ({
    name: 'litert-js',
    version: '1',
    run: () => Promise.resolve(new Map([['y', t]])),
  });
  const judged = async (ours: Tensor, theirs: Tensor, exact: Tensor) => {
    const p = await parityOf(gives(ours), gives(theirs), [new Map()], tol);
    return settled(p, gives(ours), gives(theirs), gives(exact), [new Map()]);
  };
  it('takes rounding of the size that the framework has', async () => {
    const p = await judged(f(200, 0.00363), f(200, 0.00358), f(200, 0.0036));
    expect(p).toMatchObject({ ok: true, outputs: [{ ok: true, float64: { ours: expect.closeTo(3e-5, 6) } }] });
    expect(p.outputs[0]).not.toHaveProperty('why');
  });
  it('takes nothing else', async () => {
    expect((await judged(f(200, 0.00365), f(200, 0.00358), f(200, 0.0036))).ok).toBe(false);
    expect((await judged(f(1, 2), f(1, Infinity), f(1, 3))).ok).toBe(false);
    expect((await judged(f(1, NaN), f(1, 2), f(1, 3))).ok).toBe(false);
    const i = (x: number): Tensor => fromNumbers('i32', [1], [x]);
    expect((await judged(i(4), i(5), i(4))).ok).toBe(false);
  });
});

describe('comparing', () => {
  const f = (...x: number[]): Tensor => fromNumbers('f64', [x.length], x);
  it('takes NaN for equal to NaN, and infinity to itself only', () => {
    expect(compare(f(NaN, Infinity), f(NaN, Infinity), tol).ok).toBe(true);
    expect(compare(f(NaN), f(1), tol)).toMatchObject({ ok: false, abs: Infinity });
    expect(compare(f(1), f(NaN), tol).ok).toBe(false);
    expect(compare(f(Infinity), f(-Infinity), tol).ok).toBe(false);
  });
  it('allows atol + rtol * |want|', () => {
    expect(compare(f(1001), f(1000), tol).ok).toBe(true);
    expect(compare(f(1001.02), f(1000), tol)).toMatchObject({ ok: false, at: 0 });
    expect(compare(f(1e-5), f(0), tol).ok).toBe(true);
    expect(compare(f(1.1e-5), f(0), tol).ok).toBe(false);
  });
  it('wants integers equal, and shapes and types the same', () => {
    const i = (x: number): Tensor => fromNumbers('i64', [1], [x]);
    expect(compare(i(1000), i(1000), tol).ok).toBe(true);
    expect(compare(i(100000), i(100001), tol)).toMatchObject({ ok: false, abs: 1 });
    expect(compare(fromNumbers('f64', [1, 1], [1]), f(1), tol).why).toBe('shape [1, 1] instead of [1]');
    expect(compare(fromNumbers('f32', [1], [1]), f(1), tol).why).toBe('type f32 instead of f64');
  });
  it('measures departure by the scale of the tensor', () => {
    expect(divergence(f(1000, 1e-3), f(1000, 0))).toBeCloseTo(1e-6, 12);
    expect(divergence(f(0, 0), f(0, 0))).toBe(0);
    expect(divergence(f(NaN), f(0))).toBe(Infinity);
  });
});
