import { expect } from '@jest/globals';
import { drawHtml } from '../../compiler/cli/draw.ts';
import { inspect } from '../../compiler/inspect.ts';
import { needs } from '../needs.ts';
import { attribute, model, node, value } from '../onnx-writer.ts';
import { chromium, startBrowser } from './chromium.ts';

const bytes = model([
  node('Conv', ['a tensor of a rather long name WWWWWW', 'w'], ['c'], attribute('strides', [2, 2])),
  node('Relu', ['c'], ['漢字テスト']),
  node('MaxPool', ['漢字テスト'], ['y'], attribute('kernel_shape', [13, 13]), attribute('pads', [6, 6, 6, 6])),
  value(11, 'a tensor of a rather long name WWWWWW', 1, [1, 3, 224, 224]),
  value(11, 'w', 1, [1024, 3, 3, 3]),
  value(12, 'y', 1, [1, 1024, 111, 111]),
]);

needs(chromium).it(
  'in the drawing of a model no text leaves its box, whatever fonts there are, and the head covers nothing',
  async () => {
    const html = await drawHtml(inspect({ model: bytes, file: 'model.onnx' }));
    const browser = await startBrowser();
    try {
      for (const [width, height] of [
        [1440, 900],
        [900, 700],
        [390, 844],
      ] as const) {
        const { page, complaints } = await browser.page();
        await page.setViewportSize({ width, height });
        await page.setContent(html);
        const found = await page.evaluate(() => {
          const head = document.querySelector('header')?.getBoundingClientRect().bottom ?? Infinity;
          const out: string[] = [];
          let texts = 0;
          for (const g of document.querySelectorAll('svg .node')) {
            const box = g.querySelector('path, polygon')?.getBoundingClientRect();
            if (!box || box.top < head) out.push('a box is under the head');
            for (const t of g.querySelectorAll('text')) {
              const r = t.getBoundingClientRect();
              texts++;
              if (!box || r.left < box.left - 0.5 || r.right > box.right + 0.5) out.push(t.textContent);
            }
          }
          return { out, texts };
        });
        expect(found).toEqual({ out: [], texts: 14 });
        expect(complaints).toEqual([]);
      }
    } finally {
      await browser.close();
    }
  },
  60_000,
);
