/** How a tensor is read between its elements, and beyond its borders. */
export const SAMPLE_MODES = ['nearest', 'linear', 'cubic'] as const;
export type SampleMode = (typeof SAMPLE_MODES)[number];
export const BORDERS = ['zeros', 'border', 'reflection'] as const;
export type Border = (typeof BORDERS)[number];
