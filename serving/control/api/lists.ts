// Lists of resources: filters, order and pages, which all List operations of SageMaker share.
import { validation } from '../../protocols/aws/errors.ts';

export interface ListInput {
  readonly NextToken?: string;
  readonly MaxResults?: number;
  readonly NameContains?: string;
  readonly CreationTimeBefore?: Date;
  readonly CreationTimeAfter?: Date;
  readonly LastModifiedTimeBefore?: Date;
  readonly LastModifiedTimeAfter?: Date;
  readonly SortBy?: string;
  readonly SortOrder?: string;
}
export interface Listed {
  readonly name: string;
  readonly created: number;
  readonly modified: number;
  readonly status?: string;
}
/** A page of what the filters let through, by creation time, newest first, unless the input says otherwise. */
export function list<T extends Listed>(
  all: Iterable<T>,
  i: ListInput,
  pageSize = 100,
): { readonly page: readonly T[]; readonly next: { readonly NextToken?: string } } {
  const within = (t: number, before: Date | undefined, after: Date | undefined): boolean =>
    (before === undefined || t < before.getTime()) && (after === undefined || t > after.getTime());
  const chosen = [...all].filter(
    x =>
      (i.NameContains === undefined || x.name.toLowerCase().includes(i.NameContains.toLowerCase())) &&
      within(x.created, i.CreationTimeBefore, i.CreationTimeAfter) &&
      within(x.modified, i.LastModifiedTimeBefore, i.LastModifiedTimeAfter),
  );
  const order = (a: T, b: T): number => {
    const text = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
    if (i.SortBy === 'Name') return text(a.name, b.name);
    if (i.SortBy === 'Status') return text(a.status ?? '', b.status ?? '');
    return i.SortBy === 'LastModifiedTime' ? a.modified - b.modified : a.created - b.created;
  };
  chosen.sort(order);
  if (i.SortOrder !== 'Ascending') chosen.reverse();
  return paginate(chosen, i.NextToken, i.MaxResults ?? pageSize);
}
/** A page of a list, and the token of the next. ValidationException for a token that was not given out. */
export function paginate<T>(
  all: readonly T[],
  token: string | undefined,
  size: number,
): { readonly page: readonly T[]; readonly next: { readonly NextToken?: string } } {
  const from = token === undefined ? 0 : Number(Buffer.from(token, 'base64url').toString());
  if (!Number.isInteger(from) || from < 0 || (token !== undefined && from === 0)) throw validation('Invalid NextToken.');
  const end = from + size;
  const next = end < all.length ? { NextToken: Buffer.from(String(end)).toString('base64url') } : {};
  return { page: all.slice(from, end), next };
}
