/**
 * Gives bytes of a file beside the model. `location` is a relative path with forward slashes that stays in the model's folder as far as
 * its text goes; whoever resolves it looks at symbolic links. `length` undefined means to the end of the file.
 */
export type ExternalResolver = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** What is wrong with a path that a model gives, if it could leave the model's folder on any system. */
export function unsafePath(path: string): string | undefined {
  if (path === '') return 'names no file';
  if (path.includes('\\')) return 'has a backslash; write forward slashes';
  if (/^(?:\/|[A-Za-z]:|~)/.test(path)) return 'is not relative to the model';
  if (path.split('/').includes('..')) return "leaves the model's folder";
  for (const ch of path) if (ch < ' ' || ch === '\x7f') return 'has a control character';
  return undefined;
}
