export const MiB = 2 ** 20;
