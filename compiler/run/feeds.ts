import { readFileSync } from 'node:fs';
import { type DType, DTYPES } from '../core/dtype.ts';
import { must } from '../core/diagnostic.ts';
import { relisted, textList } from '../core/texts.ts';
import { numel, type Tensor } from '../core/tensor.ts';
import { writeFile } from '../host/files.ts';

/** Inputs of one call by name. */
export type Feed = ReadonlyMap<string, Tensor>;

/** The inputs of a run in files: of each input those of all feeds, one after the other, as bytes. */
export interface FeedFiles {
  readonly label: string;
  readonly feeds: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly dims: readonly number[];
    readonly texts?: readonly string[];
    readonly file: string;
  }[];
}
/** Writes inputs to files `<stem>.<i>.bin`. All feeds have the same names, types and sizes. */
export function writeFeeds(stem: string, label: string, feeds: readonly Feed[]): FeedFiles {
  const [first] = feeds;
  const inputs = [...must(first, 'feed')].map(([name, t], i) => {
    const file = `${stem}.${i}.bin`;
    const list = textList();
    writeFile(file, Buffer.concat(feeds.map(f => relisted(must(f.get(name), name), list).bytes)));
    return { name, dtype: t.dtype, dims: t.dims, file, ...(t.texts && { texts: list.texts }) };
  });
  return { label, feeds: feeds.length, inputs };
}
export function readFeeds(f: FeedFiles): Feed[] {
  const feeds = Array.from({ length: f.feeds }, () => new Map<string, Tensor>());
  for (const { name, file, ...type } of f.inputs) {
    const all = readFileSync(file);
    const size = numel(type.dims) * DTYPES[type.dtype].bytes;
    // Copies: whoever runs on them may ask for alignment, and for an array of its own.
    feeds.forEach((feed, i) => feed.set(name, { ...type, bytes: Uint8Array.from(all.subarray(i * size, (i + 1) * size)) }));
  }
  return feeds;
}
