/** The natural logarithm in float32. */
export const logf = (x: number): number => Math.fround(Math.log(Math.fround(x)));
