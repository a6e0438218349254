// Checks the input of an operation against the table of shapes; failures are told in AWS's words.
import { SHAPES, type Service, type Shape } from './shapes.ts';
import { AwsError, serialization, validation } from './errors.ts';

/** JSON as it came; times are seconds, or text in ISO 8601. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** An input of the AWS SDK for JavaScript once it is checked: what is required is there, times are Dates. */
export type Checked<T> = T extends Date | Uint8Array | string | number | boolean
  ? T
  : T extends readonly (infer U)[]
    ? readonly Checked<U>[]
    : { readonly [K in Needed<T>]: Checked<NonNullable<T[K]>> } & { readonly [K in Free<T>]?: Checked<NonNullable<T[K]>> };
type Free<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];
type Needed<T> = Exclude<keyof T, Free<T>>;

/**
 * Gives the input with times as Dates and without members that the shape does not know.
 * Errors: SerializationException where a type differs, ValidationException with all limits that are broken, UnknownOperationException.
 */
export function check(service: Service, operation: string, input: Json): unknown {
  const { operations, shapes } = SHAPES[service];
  const name = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  if (name === undefined)
    throw new AwsError('UnknownOperationException', `endpointd does not serve the operation ${operation} of ${service}.`);
  const broken: string[] = [];
  const value = read({ shapes, broken }, name, input, '');
  if (broken.length > 0)
    throw validation(`${broken.length} validation error${broken.length > 1 ? 's' : ''} detected: ${broken.join('; ')}`);
  return value;
}

interface Context {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly broken: string[];
}
const lower = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);
const under = (path: string, name: string): string => (path === '' ? lower(name) : `${path}.${lower(name)}`);
/** A value as AWS prints it: Java's own forms of lists, maps and structures. */
function show(v: Json): string {
  if (v === null) return 'null';
  if (Array.isArray(v)) return `[${(v as readonly Json[]).map(show).join(', ')}]`;
  if (typeof v === 'object')
    return `{${Object.entries(v)
      .map(([k, x]) => `${k}=${show(x)}`)
      .join(', ')}}`;
  return String(v);
}
function fail(c: Context, value: Json, path: string, must: string): void {
  const shown = show(value);
  const text = value === null ? 'null' : `'${shown.length > 1024 ? `${shown.slice(0, 1024)}...` : shown}'`;
  if (c.broken.length < 10) c.broken.push(`Value ${text} at '${path}' failed to satisfy constraint: Member must ${must}`);
}
const kindOf = (v: Json): string =>
  v === null
    ? 'NULL'
    : Array.isArray(v)
      ? 'START_ARRAY'
      : typeof v === 'object'
        ? 'START_OBJECT'
        : `${typeof v}_VALUE`.toUpperCase();
const wrong = (v: Json, path: string, wanted: string): AwsError =>
  serialization(`${kindOf(v)} at '${path}' can not be converted to ${wanted}`);

function read(c: Context, name: string, v: Json, path: string): unknown {
  const shape = c.shapes[name];
  if (shape === undefined) throw new Error(`the table has no ${name}`);
  switch (shape.k) {
    case 'structure': {
      if (v === null || typeof v !== 'object' || Array.isArray(v)) throw wrong(v, path, 'a structure');
      const given = v as Readonly<Record<string, Json>>;
      const out: Record<string, unknown> = {};
      for (const [key, member] of Object.entries(shape.members)) {
        const value = Object.hasOwn(given, key) ? (given[key] ?? null) : null;
        if (value !== null) out[key] = read(c, member, value, under(path, key));
        else if (shape.required.includes(key)) fail(c, null, under(path, key), 'not be null');
      }
      return out;
    }
    case 'list': {
      if (!Array.isArray(v)) throw wrong(v, path, 'a list');
      const items = v as readonly Json[];
      if (length(c, shape, items.length, v, path)) return [];
      return items.map((x, i) => read(c, shape.member, x, `${path}.${i + 1}.member`));
    }
    case 'map': {
      if (v === null || typeof v !== 'object' || Array.isArray(v)) throw wrong(v, path, 'a map');
      const entries = Object.entries(v as Readonly<Record<string, Json>>);
      if (length(c, shape, entries.length, v, path)) return {};
      return Object.fromEntries(
        entries.map(([key, x]) => [
          read(c, shape.key, key, `${path}.key`) as string,
          read(c, shape.value, x, `${path}.${key}.member`),
        ]),
      );
    }
    case 'string':
      if (typeof v !== 'string') throw wrong(v, path, 'a String');
      if (shape.enum !== undefined) {
        if (!shape.enum.includes(v)) fail(c, v, path, `satisfy enum value set: [${shape.enum.join(', ')}]`);
      } else if (!length(c, shape, Array.from(v).length, v, path) && shape.pattern !== undefined && !regex(shape.pattern).test(v))
        fail(c, v, path, `satisfy regular expression pattern: ${shape.pattern}`);
      return v;
    case 'integer':
    case 'number':
      if (typeof v !== 'number') throw wrong(v, path, shape.k === 'integer' ? 'an Integer' : 'a Float');
      if (shape.k === 'integer' && !Number.isInteger(v)) throw wrong(v, path, 'an Integer');
      if (shape.min !== undefined && v < shape.min) fail(c, v, path, `have value greater than or equal to ${shape.min}`);
      if (shape.max !== undefined && v > shape.max) fail(c, v, path, `have value less than or equal to ${shape.max}`);
      return v;
    case 'boolean':
      if (typeof v !== 'boolean') throw wrong(v, path, 'a Boolean');
      return v;
    case 'timestamp': {
      const time = typeof v === 'number' ? new Date(v * 1000) : typeof v === 'string' ? new Date(v) : undefined;
      if (time === undefined || Number.isNaN(time.getTime())) throw wrong(v, path, 'a timestamp');
      return time;
    }
  }
}
/** Whether a limit of the length is broken; then what is inside is not looked at. */
function length(c: Context, limits: { readonly min?: number; readonly max?: number }, n: number, v: Json, path: string): boolean {
  if (limits.min !== undefined && n < limits.min) fail(c, v, path, `have length greater than or equal to ${limits.min}`);
  else if (limits.max !== undefined && n > limits.max) fail(c, v, path, `have length less than or equal to ${limits.max}`);
  else return false;
  return true;
}

const regexes = new Map<string, RegExp>();
/** A pattern of Java for the whole value. */
function regex(pattern: string): RegExp {
  let known = regexes.get(pattern);
  if (known === undefined) {
    const source = pattern.replaceAll('\\p{Print}', '\\P{C}');
    known = new RegExp(`^(?:${source})$`, 'u');
    regexes.set(pattern, known);
  }
  return known;
}
