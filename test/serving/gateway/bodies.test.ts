import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import protobuf from 'protobufjs';
import { ServeError } from '../../../serving/core/errors.ts';
import { pythonFloat, pythonJsonFloat } from '../../../serving/core/python.ts';
import { fromHalf, toHalf } from '../../../serving/core/tensors.ts';
import { parseCsv } from '../../../serving/protocols/sagemaker/csv.ts';
import { parseLibsvm } from '../../../serving/protocols/sagemaker/libsvm.ts';
import { readNpy, writeNpy } from '../../../serving/protocols/sagemaker/npy.ts';
import { parseRecordio, records, writeRecordio } from '../../../serving/protocols/sagemaker/recordio.ts';
import { needs } from '../../needs.ts';

const want = (columns: number) => ({ columns, type: 'float64' as const });
const csv = (text: string): number[][] => {
  const r = parseCsv(Buffer.from(text), want(1));
  return Array.from({ length: r.rows }, (_, i) => [...r.data.slice(i * r.columns, (i + 1) * r.columns)]);
};
const refused = (run: () => unknown): string => {
  try {
    run();
  } catch (e) {
    if (e instanceof ServeError) return `${e.status} ${e.message}`;
    throw e;
  }
  return 'not refused';
};
const python = (script: string, input: unknown): unknown =>
  JSON.parse(spawnSync('python3', ['-c', script], { input: JSON.stringify(input), encoding: 'utf8' }).stdout);

describe('CSV', () => {
  it('has missing values, signs, exponents, words and blanks', () => {
    expect(csv('1,,-2.5\n\t 1e3 ,nan,-inf\r\n+4,.5,5.')).toEqual([
      [1, NaN, -2.5],
      [1000, NaN, -Infinity],
      [4, 0.5, 5],
    ]);
  });
  it('says which row and column is no number, and which row is of another length', () => {
    expect(refused(() => csv('1,2\n3,x'))).toContain('415 ');
    expect(refused(() => csv('1,2\n3,x'))).toContain("row 2, column 2: could not convert string to float: 'x'");
    expect(refused(() => csv('1,2\n3'))).toContain('row 2 has 1 column, row 1 has 2');
    expect(refused(() => csv('1,2\n3,4,5\n6,7'))).toContain('row 2 has 3 columns, row 1 has 2');
    expect(refused(() => csv('1,2\n\n3,4'))).toContain('row 2 has 1 column');
    expect(refused(() => csv(' \n '))).toContain('there are no rows');
    expect(refused(() => csv('"1","2"'))).toContain('415 ');
  });
  it('has no room for a body that claims more values than it has bytes', () => {
    expect(refused(() => csv(`${','.repeat(50_000)}${'\n'.repeat(50_000)}1`))).toContain('415 ');
  });
  needs('python3').it('is read as Python reads it, whatever the delimiter', () => {
    const texts = fc.sample(
      fc.tuple(
        fc.constantFrom(',', ';', '\t', ' ', '|', ':'),
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), { minLength: 2, maxLength: 6 }),
      ),
      { numRuns: 300, seed: 1 },
    );
    const given = texts.map(([d, row]) => row.map(v => (Number.isInteger(v) ? String(v) : v.toFixed(3))).join(d));
    // What the container does with a line: csv.Sniffer, a comma where it finds a letter or a digit, then float.
    const script = `
import csv, json, sys
def read(text):
  try:
    s = csv.Sniffer().sniff(text[:512]).delimiter
    d = "," if s.isalnum() else s
    return [float("nan" if x == "" else x) for x in text.split(d)]
  except Exception:
    return None
print(json.dumps([read(t) for t in json.load(sys.stdin)]))`;
    const expected = python(script, given) as (number[] | null)[];
    const got = given.map(text => {
      try {
        return csv(text)[0] ?? null;
      } catch {
        return null;
      }
    });
    expect(got).toEqual(expected);
    expect(expected.filter(x => x !== null).length).toBeGreaterThan(150);
  });
});
describe('numbers', () => {
  needs('python3').it('are printed as Python prints them', () => {
    const values = fc.sample(fc.float({ noNaN: true, noDefaultInfinity: true }), { numRuns: 2000, seed: 2 });
    const more = [0, -0, 5, 1e-5, 9.999e-5, 1e-4, 1e15, 1e16, 123456789012345680, 1e22, -1.5e300, 5e-324];
    const all = [...values, ...more];
    const bits = all.map(v => Buffer.from(new Float64Array([v]).buffer).toString('hex'));
    const script =
      'import json,struct,sys; print(json.dumps([str(struct.unpack("<d",bytes.fromhex(b))[0]) for b in json.load(sys.stdin)]))';
    expect(all.map(pythonFloat)).toEqual(python(script, bits));
  });
  it('that JSON has not are words', () => {
    expect([NaN, Infinity, -Infinity].map(pythonFloat)).toEqual(['nan', 'inf', '-inf']);
    expect([NaN, Infinity, -Infinity].map(pythonJsonFloat)).toEqual(['NaN', 'Infinity', '-Infinity']);
  });
  it('of 16 bits are rounded to the nearest, to even', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const halfway = toHalf((fromHalf(bits) + fromHalf(bits + 1)) / 2);
      if (toHalf(fromHalf(bits)) !== bits || halfway !== bits + (bits % 2)) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
    expect([toHalf(65519), toHalf(65520), toHalf(-1e9), toHalf(NaN)]).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7e00]);
  });
});
describe('libsvm', () => {
  const read = (text: string, columns = 4): number[] => [...parseLibsvm(Buffer.from(text), want(columns)).data];
  it('counts from 0, or from 1 where all indices are 1 or more; what is not named is missing', () => {
    expect(read('1 0:5 2:0')).toEqual([5, NaN, 0, NaN]);
    expect(read('1 1:5 3:7\n0 4:1')).toEqual([5, NaN, 7, NaN, NaN, NaN, NaN, 1]);
  });
  it('says what is wrong, and never holds what an index claims', () => {
    expect(refused(() => read('1 a:5'))).toContain('415 Loading libsvm data failed');
    expect(refused(() => read('0 0:1 99999999:1'))).toContain('400 Unable to evaluate payload provided: row 1');
    expect(refused(() => read('0'))).toContain('no row names a feature');
    expect(refused(() => parseLibsvm(Uint8Array.of(0xff, 0xfe), want(2)))).toContain('UTF-8');
  });
});
describe('RecordIO', () => {
  const { root } = protobuf.parse(`syntax = "proto3";
    message T { repeated float values = 1; repeated uint64 keys = 2; repeated uint64 shape = 3; }
    message V { oneof value { T float32_tensor = 2; } }
    message R { map<string, V> features = 1; map<string, V> label = 2; }`);
  const R = root.lookupType('R');
  const record = (values: number[], keys: number[] = [], shape: number[] = []): Buffer => {
    const data = R.encode({ features: { values: { float32Tensor: { values, keys, shape } } } }).finish();
    const head = Buffer.alloc(8);
    head.writeUInt32LE(0xced7230a);
    head.writeUInt32LE(data.length, 4);
    return Buffer.concat([head, data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
  };
  it('has dense and sparse rows', () => {
    const body = Buffer.concat([record([1, 2, 3]), record([4, 5, 6])]);
    expect([...parseRecordio(body, want(3)).data]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...parseRecordio(record([7], [2], [3]), want(3)).data]).toEqual([NaN, NaN, 7]);
  });
  it('is refused where it is damaged', () => {
    const body = record([1, 2, 3]);
    for (let n = 1; n < body.length; n++) expect(refused(() => parseRecordio(body.subarray(0, n), want(3)))).toMatch(/^4/);
    expect(refused(() => parseRecordio(Buffer.from('hello world!'), want(3)))).toContain('Invalid RecordIO magic');
    expect(refused(() => parseRecordio(record([1], [9e9]), want(3)))).toMatch(/^400/);
  });
  it('is written as it is read', () => {
    const [only] = records(writeRecordio([{ score: [0.5, 2] }]));
    const { label } = R.decode(only ?? new Uint8Array()) as unknown as {
      label: Record<string, { float32Tensor: { values: number[] } }>;
    };
    expect(label['score']?.float32Tensor.values).toEqual([0.5, 2]);
  });
});
describe('.npy', () => {
  it('comes back as it was', () => {
    const t = { type: 'int32', dims: [2, 2], data: Int32Array.of(1, -2, 3, 4) };
    expect(readNpy(writeNpy(t))).toEqual(t);
  });
  it('is refused where it is cut off or of other types', () => {
    const whole = writeNpy({ type: 'float32', dims: [3], data: Float32Array.of(1, 2, 3) });
    for (let n = 0; n < whole.length; n++) expect(refused(() => readNpy(whole.subarray(0, n)))).toMatch(/^415/);
    const text = Buffer.from(whole).toString('latin1');
    expect(refused(() => readNpy(Buffer.from(text.replace('<f4', '|O8'), 'latin1')))).toMatch(/^415/);
    expect(refused(() => readNpy(Buffer.from(text.replace('(3,)', '(9999999999,)'), 'latin1')))).toMatch(/^4/);
  });
  needs({ name: 'python3 with numpy', here: spawnSync('python3', ['-c', 'import numpy']).status === 0 }).it(
    'is what NumPy writes',
    () => {
      const script =
        'import io,json,sys,numpy as n; b=io.BytesIO(); n.save(b, n.arange(6,dtype="<f4").reshape(2,3)); print(json.dumps(b.getvalue().hex()))';
      const t = readNpy(Buffer.from(python(script, 0) as string, 'hex'));
      expect(t).toEqual({ type: 'float32', dims: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) });
    },
  );
});
