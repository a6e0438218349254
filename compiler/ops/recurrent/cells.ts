/** The recurrent cells and the attributes that choose among their forms. */
export const CELLS = ['lstm', 'gru', 'rnn'] as const;
export type Cell = (typeof CELLS)[number];
/** Vectors of the size of the hidden state that a cell is fed with, and how many activations it has. */
export const GATES: Readonly<Record<Cell, number>> = { lstm: 4, gru: 3, rnn: 1 };
export const ACTIVATIONS: Readonly<Record<Cell, number>> = { lstm: 3, gru: 2, rnn: 1 };

export interface RecurrentAttrs {
  readonly cell: Cell;
  readonly reverse: boolean;
  readonly activations: string;
  readonly clip: number;
  readonly cellClip: number;
  readonly coupled: boolean;
  readonly resetAfter: boolean;
  readonly dynamic: boolean;
}
