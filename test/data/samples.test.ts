import { describe, expect, it } from '@jest/globals';
import { symbol } from '../../compiler/core/dim.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { audioOptions, audioTensors, imageOptions, imageTensor } from '../../compiler/data/preprocess.ts';
import { samplesIn, type InputType } from '../../compiler/data/slices.ts';
import { readWav } from '../../compiler/data/wav.ts';

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const input = (name: string, shape: InputType['shape']): InputType => ({ name, dtype: 'f32', shape });
const tensor = (...dims: number[]): ReturnType<typeof fromNumbers> =>
  fromNumbers('f32', dims, count(dims.reduce((a, b) => a * b, 1)));

describe('samples in tensors', () => {
  it('lie along the first axis where it has one size, or before it', () => {
    const batches = [...samplesIn(new Map([['x', tensor(6, 2)]]), [input('x', [2, 2])], 'f')];
    expect(batches.map(s => [...toNumbers(s.get('x') ?? tensor(0))])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
    expect([...samplesIn(new Map([['x', tensor(3, 2, 2)]]), [input('x', [2, 2])], 'f')].map(s => s.get('x')?.dims)).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
  });
  it('go in pieces where the first axis may vary; what there is one of is in all', () => {
    const inputs = [input('x', [symbol('n', 1, 100), 2]), input('s', [])];
    const all = [
      ...samplesIn(
        new Map([
          ['x', tensor(35, 2)],
          ['s', tensor()],
        ]),
        inputs,
        'f',
      ),
    ];
    expect(all.map(s => s.get('x')?.dims[0])).toEqual([16, 16, 3]);
    expect(all.map(s => s.get('s')?.dims)).toEqual([[], [], []]);
  });
  it('of other names, ranks and counts are refused', () => {
    const read = (of: Record<string, ReturnType<typeof tensor>>): unknown => [
      ...samplesIn(new Map(Object.entries(of)), [input('x', [1, 2]), input('y', [1])], 'f.npz'),
    ];
    expect(() => read({ z: tensor(1) })).toThrow(/E501: input 'z': f.npz names it/);
    expect(() => read({ x: tensor(2) })).toThrow(/E501.*has 1 axes/);
    expect(() => read({ x: tensor(3, 2), y: tensor(2) })).toThrow(/E501.*2 samples of it, and 3 of 'x'/);
  });
});
describe('pictures', () => {
  const x = input('x', [1, 3, 1, 2]);
  it('are scaled, normalised and laid out as the options say', () => {
    const pixels = Uint8Array.from([255, 0, 51, 0, 255, 102]);
    const o = imageOptions('mean=0.5 std=0.5:0.25:1 order=bgr', x);
    expect([...toNumbers(imageTensor(pixels, o))].map(v => Number(v.toFixed(3)))).toEqual([-0.6, -0.2, -2, 2, 0.5, -0.5]);
    const last = imageOptions('scale=1 layout=nhwc size=1x2', input('x', [1, symbol('h', 1, 9), symbol('w', 1, 9), 3]));
    expect([...toNumbers(imageTensor(pixels, last))]).toEqual([255, 0, 51, 0, 255, 102]);
  });
  it.each([
    ['colour=red', /none of size=….*mean=…/],
    ['mean=a', /mean=a is no number/],
    ['mean=1:2', /2 numbers for 3 channels/],
    ['std=0', /must not be 0/],
    ['size=5', /HEIGHTxWIDTH/],
    ['fit=wide', /none of fill, contain, cover/],
    ['mean=1 mean=2', /twice/],
  ])('with %s are refused', (text, says) => expect(() => imageOptions(text, x)).toThrow(says));
});
describe('sounds', () => {
  /** A WAV file of 16 bits. */
  const wav = (channels: number, samples: readonly number[]): Uint8Array => {
    const v = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const tag = (at: number, s: string): void => Buffer.from(s).forEach((c, i) => v.setUint8(at + i, c));
    tag(0, 'RIFF');
    tag(8, 'WAVEfmt ');
    v.setUint32(16, 16, true);
    v.setUint16(20, 1, true);
    v.setUint16(22, channels, true);
    v.setUint32(24, 16000, true);
    v.setUint16(34, 16, true);
    tag(36, 'data');
    v.setUint32(40, 2 * samples.length, true);
    samples.forEach((s, i) => v.setInt16(44 + 2 * i, s, true));
    return new Uint8Array(v.buffer);
  };
  it('are read as the mean of their channels and cut into pieces', () => {
    const { rate, data } = readWav(wav(2, [16384, 0, -16384, -16384, 0, 0]), 'f');
    expect([rate, [...data]]).toEqual([16000, [0.25, -0.5, 0]]);
    const x = input('x', [1, 2]);
    expect([...audioTensors(data, audioOptions('hop=1 scale=2', x), x)].map(t => [...toNumbers(t)])).toEqual([
      [0.5, -1],
      [-1, 0],
    ]);
  });
  it('that are damaged are refused', () => {
    const good = wav(1, [1, 2, 3]);
    for (const bad of [new Uint8Array(3), good.subarray(0, 30), good.map((b, i) => (i === 20 ? 2 : b))])
      expect(() => readWav(bad, 'f')).toThrow(/E205/);
    expect(() => audioOptions('length=0', input('x', [1, 2]))).toThrow(/E403/);
  });
});
