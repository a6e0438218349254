// The words that all threads of a pool see, the caller's (pool.js) and the workers' (worker.js).

/** ROUND counts jobs and messages, MAIL messages; MODEL is the one whose job is open; ASLEEP are so many workers. */
export const [ROUND, MAIL, MODEL, ASLEEP] = [0, 1, 2, 3];

/** Workers look again at what there is to do. */
export function wake(control) {
  Atomics.add(control, ROUND, 1);
  if (Atomics.load(control, ASLEEP) > 0) Atomics.notify(control, ROUND);
}
/** What a module calls when a job of its model is open. */
export const waker = (control, id) => () => {
  Atomics.store(control, MODEL, id);
  wake(control);
};
