export { lowerGraph } from './lower.ts';
