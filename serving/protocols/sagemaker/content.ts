import { ServeError } from '../../core/errors.ts';

/** What a body is, by its content type. */
export type Content = 'csv' | 'libsvm' | 'recordio-protobuf' | 'json' | 'npy';
const CONTENTS: Readonly<Record<string, Content>> = {
  csv: 'csv',
  'text/csv': 'csv',
  libsvm: 'libsvm',
  'text/libsvm': 'libsvm',
  'text/x-libsvm': 'libsvm',
  'recordio-protobuf': 'recordio-protobuf',
  'application/x-recordio-protobuf': 'recordio-protobuf',
  'application/json': 'json',
  'application/x-npy': 'npy',
};
/** A header's value without its parameters. */
export const bare = (value: string): string => {
  const end = value.indexOf(';');
  return (end < 0 ? value : value.slice(0, end)).trim();
};
/** Without a type it is libsvm. 415 for what is not known. */
export function contentOf(header: string | undefined): Content {
  if (header === undefined) return 'libsvm';
  const type = bare(header.toLowerCase());
  const known = Object.hasOwn(CONTENTS, type) ? CONTENTS[type] : undefined;
  const label = /;\s*label_size\s*=\s*"?([^;"]*)/.exec(header.toLowerCase())?.[1];
  if (known === 'csv' && label !== undefined && label.trim() !== '1')
    throw new ServeError(
      415,
      `${header.toLowerCase()} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1`,
    );
  if (known !== undefined) return known;
  throw new ServeError(415, `${header.toLowerCase()} is not an accepted ContentType: ${Object.keys(CONTENTS).join(', ')}.`);
}
const ACCEPTS = ['application/json', 'application/jsonlines', 'application/x-recordio-protobuf', 'text/csv'];
/** Ours besides. */
const MORE = ['application/x-npy'];
/** The type of the answer. 406 where it is none that there is. */
export function acceptOf(header: string | undefined, otherwise: string): string {
  const accept = bare(header ?? '');
  if (accept === '' || accept === '*/*') return otherwise;
  const wanted = accept.toLowerCase();
  if (ACCEPTS.includes(wanted) || MORE.includes(wanted)) return wanted;
  const list = ACCEPTS.map(a => `'${a}'`).join(', ');
  throw new ServeError(406, `Accept type ${accept} is not supported. Please use supported accept types: [${list}].`);
}
