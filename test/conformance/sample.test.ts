import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { projectDir } from '../../fixtures/paths.ts';
import { needs } from '../needs.ts';
import { TF_SUITES, tfCases, type Form } from '../suites/tensorflow-cases.ts';
import type { Way } from './runners.ts';
import { runTfCase } from './tensorflow.ts';

/** Functions of TensorFlow and layers of Keras in their formats, with TensorFlow's answers: what fixtures/tensorflow/make-cases.py wrote. */
needs('xz').describe('functions of TensorFlow and layers of Keras give its answers', () => {
  const root = mkdtempSync(join(tmpdir(), 'sinter-cases-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  beforeAll(() => {
    const r = spawnSync('tar', ['-xJf', join(projectDir, 'fixtures/tensorflow/cases.tar.xz'), '-C', root], { encoding: 'utf8' });
    expect(r.stderr).toBe('');
  });
  const forms = TF_SUITES.filter(f => f !== 'tfjs');
  /** How cases end that do not pass, of one of so many. */
  async function ends(form: Form, way: Way, every: number): Promise<{ readonly ran: number; readonly bad: readonly string[] }> {
    const bad: string[] = [];
    let ran = 0;
    for (const [i, { name, folder }] of [...tfCases(root, form)].entries()) {
      if (i % every !== 0) continue;
      ran++;
      const o = await runTfCase(form, name, folder, way);
      if (o.k !== 'passed') bad.push(`${form}/${name}: ${o.k} ${o.why ?? ''}`);
    }
    return { ran, bad };
  }
  it.each(forms)('as %s', async form => {
    const { ran, bad } = await ends(form, 'evaluate', 1);
    expect(bad).toEqual([]);
    expect(ran).toBeGreaterThan(15);
  });
  it('compiled: a sample', async () => {
    for (const [i, form] of forms.entries()) expect((await ends(form, 'wasm', 4 + i)).bad).toEqual([]);
  });
});
