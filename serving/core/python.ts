/** A float64 as Python's `str` prints it: the shortest digits that give it back, an exponent below 1e-4 and from 1e16. */
export function pythonFloat(v: number): string {
  const a = Math.abs(v);
  if (a >= 1e-4 && a < 1e16) {
    const text = String(v);
    return Number.isInteger(v) ? `${text}.0` : text;
  }
  if (a === 0) return Object.is(v, -0) ? '-0.0' : '0.0';
  if (Number.isNaN(v)) return 'nan';
  if (a === Infinity) return v < 0 ? '-inf' : 'inf';
  // JavaScript has 1e-5 and 1.5e+16 for Python's 1e-05 and 1.5e+16.
  return v.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
/** As Python's `json.dumps` prints it. */
export function pythonJsonFloat(v: number): string {
  if (Number.isFinite(v)) return pythonFloat(v);
  return Number.isNaN(v) ? 'NaN' : v < 0 ? '-Infinity' : 'Infinity';
}
