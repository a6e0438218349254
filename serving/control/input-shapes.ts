/**
 * DataInputConfig of a compilation job: shapes by the names of inputs, in JSON or as Python prints a dict, such as
 * `{'data': [1, 3, 224, 224]}`. Other forms that Neo knows, lists of shapes and ranges, are refused.
 */
export function readShapes(text: string): Readonly<Record<string, readonly number[]>> {
  let value: unknown;
  try {
    // Names hold no quotes; tuples are lists.
    value = JSON.parse(
      text
        .replaceAll("'", '"')
        .replaceAll('(', '[')
        .replaceAll(')', ']')
        .replaceAll(/,\s*([\]}])/g, '$1'),
    );
  } catch {
    throw new Error(`DataInputConfig is neither JSON nor a Python dict: ${text.slice(0, 200)}`);
  }
  const isShape = (x: unknown): x is readonly number[] =>
    Array.isArray(x) && x.every(n => Number.isInteger(n) && (n as number) > 0);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.values(value).every(isShape))
    throw new Error(
      `DataInputConfig must give a shape for each input, such as {"data": [1, 3, 224, 224]}, not ${text.slice(0, 200)}`,
    );
  return value as Readonly<Record<string, readonly number[]>>;
}
