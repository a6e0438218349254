/**
 * Elements that a list or a table may have which the compiler makes and a number in the file sizes: asked before it is made, so that a file
 * of a few bytes takes no memory that it does not hold.
 */
const MOST = 2 ** 24;
/** The elements, where there is room for so many; else `refuse` is told why not. `left`: what others have left over. */
export function room(elements: number, what: string, refuse: (why: string) => never, left = MOST): number {
  if (elements >= 0 && elements <= left) return elements;
  return refuse(`${what} of ${elements} elements ${elements >= 0 ? 'is more than is made while compiling' : 'cannot be'}`);
}
/** Room that is shared: what one takes is not there for the next. */
export interface Room {
  take(elements: number, what: string, refuse: (why: string) => never): void;
}
export function newRoom(): Room {
  let left = MOST;
  return {
    take: (elements, what, refuse) => {
      left -= room(elements, what, refuse, left);
    },
  };
}
