import type { Op } from '../define.ts';
import { TextCase } from './case.ts';
import { TextJoin } from './join.ts';
import { TextMatch } from './match.ts';
import { TextPieces } from './pieces.ts';
import { TextPlaces, TextSpelling } from './places.ts';

export const textOps: readonly Op[] = [TextCase, TextJoin, TextMatch, TextPieces, TextPlaces, TextSpelling];
