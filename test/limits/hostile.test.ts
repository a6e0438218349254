/** Files that ask for more than any machine has: each ends with a code, soon and in little memory, or compiles. */
import { afterAll, expect, it, jest } from '@jest/globals';
import { HOSTILE } from './hostile.ts';
import { limited, said } from './limited.ts';

jest.setTimeout(200_000);
const child = limited();
afterAll(() => child.end());

it.each(HOSTILE)('%s', async (name, model) => {
  // Trees take rows, of which there are many where nothing is said.
  const done = await child.compile({ model, target: 'c-portable', ...(/tree/.test(name) && { dims: { n: 1 } }) });
  expect(said(done)).toMatch(/^(?:compiled|E1\d\d|E2\d\d|E3\d\d|E402)$/);
});
