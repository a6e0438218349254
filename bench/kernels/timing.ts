/** Best time in seconds of each function, measured in turns, so that a busy machine disturbs all alike. */
export function best(fs: readonly (() => void)[], rounds = 40, target = 2): number[] {
  const counts = fs.map(f => {
    const end = performance.now() + 60;
    let n = 0;
    while (performance.now() < end || n < 3) {
      f();
      n++;
    }
    let per = Infinity;
    for (let i = 0; i < 5; i++) {
      const a = performance.now();
      f();
      per = Math.min(per, performance.now() - a);
    }
    return Math.max(1, Math.round(target / Math.max(per, 1e-4)));
  });
  const times = fs.map(() => Infinity);
  for (let r = 0; r < rounds; r++)
    fs.forEach((f, i) => {
      const n = counts[i] ?? 1;
      f();
      const a = performance.now();
      for (let j = 0; j < n; j++) f();
      times[i] = Math.min(times[i] ?? Infinity, (performance.now() - a) / 1000 / n);
    });
  return times;
}
