/** The page at `/` in Chromium, without a network: it shows what is served, and lets a person try it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { compile, writeBundle } from '../../../compiler/node.ts';
import type { Serving } from '../../../serving/gateway/serve.ts';
import { chromium, startBrowser, type Browser } from '../../browser/chromium.ts';
import { needs } from '../../needs.ts';
import { model, node, value } from '../../onnx-writer.ts';
import { bikeBundle, cleanUp, post, PREDICTED, ROWS, started, temporary } from './models.ts';

/** A name that would be code if it were put in as such. */
const HOSTILE = '<img src=x onerror=alert(1)>"&';
needs(chromium).describe('the page', () => {
  let browser: Browser;
  let server: Serving;
  beforeAll(async () => {
    const negate = join(temporary(), 'negate');
    const graph = [node('Neg', ['x'], ['y']), value(11, 'x', 1, [1, 3]), value(12, 'y', 1, [1, 3])];
    writeBundle(negate, (await compile({ model: model(graph) })).files);
    server = await started({
      models: [
        { name: HOSTILE, path: await bikeBundle() },
        { name: 'negate', path: negate },
      ],
    });
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await cleanUp();
  });
  it('shows the models, the rate and the latency, and answers of both kinds of models', async () => {
    const { page, complaints } = await browser.page();
    await page.goto(server.url);
    await page.waitForSelector('#models tr');
    expect(await page.textContent('#state')).toBe('ready');
    const cells = await page.locator('#models td').allTextContents();
    expect(cells.slice(0, 3)).toEqual([HOSTILE, 'features: float32 [batch, 13]', 'prediction: float32 [batch]']);
    expect(cells.slice(5, 8)).toEqual(['negate', 'x: float32 [1, 3]', 'y: float32 [1, 3]']);
    expect(await page.locator('img').count()).toBe(0);

    expect(await page.textContent('#names')).toContain('season, holiday');
    await page.fill('#body', ROWS[0] ?? '');
    await page.click('button');
    await page.locator('#answer:not(:empty)').waitFor();
    const { predictions } = JSON.parse((await page.textContent('#answer')) ?? '') as { predictions: { score: number }[] };
    expect(Math.fround(predictions[0]?.score ?? NaN)).toBe(Math.fround(PREDICTED[0] ?? 0));
    expect(await page.textContent('#took')).toMatch(/^200, [\d.]+ ms$/);

    await page.selectOption('#model', 'negate');
    await page.fill('#body', (await page.inputValue('#body')).replace(/"data": \[[^\]]*\]/, '"data": [1, 2, 3]'));
    await page.click('button');
    await page.locator('#answer:not(:empty)').waitFor();
    const { outputs } = JSON.parse((await page.textContent('#answer')) ?? '') as { outputs: { data: number[] }[] };
    expect(outputs[0]?.data).toEqual([-1, -2, -3]);

    const headers = { 'content-type': 'text/csv', 'x-amzn-sagemaker-target-model': HOSTILE };
    for (let n = 0; n < 50; n++) await post(`${server.url}/invocations`, ROWS[n % ROWS.length] ?? '', headers);
    await page.locator('#p50', { hasText: /^[\d.]+ ms$/ }).waitFor();
    expect(await page.locator('#plot rect').count()).toBe(59);
    const picture = process.env['SINTER_SCREENSHOTS'];
    if (picture !== undefined) await page.screenshot({ path: join(picture, 'serving-page.png'), fullPage: true });
    // Nothing was asked for elsewhere, and the policy of the page refused nothing.
    expect(complaints).toEqual([]);
  });
  it('says what is wrong with a body, and where there is no connection', async () => {
    const { page } = await browser.page();
    await page.goto(server.url);
    await page.waitForSelector('#models tr');
    await page.fill('#body', 'a,b');
    await page.click('button');
    await page.locator('#answer:not(:empty)').waitFor();
    expect(await page.textContent('#answer')).toContain('row 1, column 1');
    await server.close();
    await page.locator('#state', { hasText: 'no connection' }).waitFor();
  });
});
