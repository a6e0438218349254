import { pathToFileURL } from 'node:url';
import { fail } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { imageTensor, type ImageOptions } from '../data/preprocess.ts';
import { readBytes } from '../host/files.ts';
import { findPackage } from '../host/packages.ts';

/** What reads pictures of all usual formats: the package `sharp`. E601 where it is not installed; the reader: E205. */
export async function imageReader(): Promise<(file: string, o: ImageOptions) => Promise<Tensor>> {
  const place =
    findPackage('sharp') ?? fail('E601', { what: 'the package sharp, which reads pictures,', how: 'npm install sharp' });
  const { default: sharp } = (await import(pathToFileURL(place.main).href)) as typeof import('sharp');
  return async (file, o) => {
    const bytes = readBytes(file);
    try {
      const shown = sharp(bytes, { failOn: 'error' }).rotate().resize(o.width, o.height, { fit: o.fit, background: '#000' });
      const colours =
        o.channels === 1
          ? shown.removeAlpha().grayscale()
          : o.channels === 3
            ? shown.removeAlpha().toColourspace('srgb')
            : shown.ensureAlpha();
      return imageTensor(new Uint8Array(await colours.raw().toBuffer()), o);
    } catch (e) {
      return fail('E205', { file, why: e instanceof Error ? e.message : String(e) });
    }
  };
}
