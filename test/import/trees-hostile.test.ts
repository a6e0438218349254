// Damaged and hostile files of trees: an E-code, with the tree and the node where there is one, in time and memory that the size of the
// file bounds.
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync as quickGzip } from 'node:zlib';
import { gzipSync, zipSync, zlibSync } from 'fflate';
import { describe, expect, it } from '@jest/globals';
import { compile } from '../../compiler/compile.ts';
import { CompileError, must, type Code } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { filesOf } from '../trees/cases.ts';
import { tar, tarOf } from '../trees/tar.ts';
import { document, json, ubjson, type Document, type Tree } from '../trees/xgboost-writer.ts';
import { importModel } from '../../compiler/import/index.ts';

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);
const concat = (...parts: readonly (Uint8Array | string)[]): Uint8Array =>
  new Uint8Array(Buffer.concat(parts.map(p => (typeof p === 'string' ? Buffer.from(p, 'latin1') : p))));
/** The error of a file that must not be accepted. */
function errorOf(bytes: Uint8Array): CompileError {
  try {
    importModel(bytes, { file: 'm' });
  } catch (e) {
    if (e instanceof CompileError) return e;
    throw e;
  }
  throw new Error('it was accepted');
}
const refused = (bytes: Uint8Array, code: Code, words: string): void => {
  const e = errorOf(bytes);
  expect(e.message).toContain(words);
  expect(e.code).toBe(code);
};
const split = (l: Tree, r: Tree, f = 0): Tree => ({ f, t: 0.5, l, r });
/** Two trees; the second is 0: split, 1: split, 2: leaf, 3: leaf, 4: leaf. */
const sound = (): Document => document({ trees: [split(1, 2), split(split(3, 4, 1), 5)] });
interface TreeDocument {
  left_children: number[];
  right_children: number[];
  split_indices: number[];
  split_conditions: (number | string)[];
  split_type: number[];
  default_left: unknown[];
  tree_param: Record<string, string>;
}
/** The document with its second tree changed. */
function changed(change: (t: TreeDocument) => void): Document {
  const d = sound() as { learner: { gradient_booster: { model: { trees: TreeDocument[] } } } };
  change(must(d.learner.gradient_booster.model.trees[1]));
  return d;
}

describe('cut off and changed bytes', () => {
  // The same ones each time; more of them for a night: RUNS=500.
  const CHANGES = Number(process.env['RUNS'] ?? 40);
  const x = 'xgboost-3.0.5.tar.gz';
  const files: readonly (readonly [archive: string, file: string])[] = [
    [x, 'softprob.ubj'],
    [x, 'partition.json'],
    [x, 'dart.deprecated'],
    [x, 'vector.ubj'],
    [x, 'regressor.pkl'],
    [x, 'multi.joblib.z'],
    [x, 'folds.tar.gz'],
    ['xgboost-0.90.tar.gz', 'booster-p0.pkl'],
    ['xgboost-0.90.tar.gz', 'depth2.model'],
    ['xgboost-1.2.1.tar.gz', 'model.tar.gz'],
    ['lightgbm-4.7.0.tar.gz', 'categories-missing.txt'],
  ];
  it.each(files)('of %s, %s', async (archive, file) => {
    const bytes = must(filesOf(archive).get(file));
    const next = randomStream(1 + files.findIndex(f => f[1] === file));
    const attempt = async (b: Uint8Array): Promise<boolean> => {
      try {
        await compile({ model: b, file: 'm', outputs: file === 'vector.ubj' ? ['leaf'] : [], stopAfter: 'plan' });
        return true;
      } catch (e) {
        if (!(e instanceof CompileError)) throw e;
        return false;
      }
    };
    expect(await attempt(bytes)).toBe(true);
    // Behind it are names of metrics, parameters of training and the like.
    const needed = /deprecated|model$/.test(file)
      ? 0.8
      : file.endsWith('txt')
        ? new TextDecoder('latin1').decode(bytes).indexOf('end of trees') / bytes.length
        : 1;
    for (let i = 0; i < CHANGES; i++) {
      const end = Math.floor(bytes.length * needed * next());
      expect([end, await attempt(bytes.slice(0, end))]).toEqual([end, false]);
    }
    for (let i = 0; i < CHANGES; i++) {
      const b = bytes.slice();
      const at = Math.floor(next() * b.length);
      // A byte, or a number of four.
      if (next() < 0.7) b[at] = Math.floor(next() * 256);
      else b.set([0xff, 0xff, 0xff, next() < 0.5 ? 0xff : 0x7f], Math.min(at, b.length - 4));
      await attempt(b);
    }
  });
});

describe('trees that are none', () => {
  const cases: readonly (readonly [string, (t: TreeDocument) => void, string])[] = [
    [
      'a node is its own child',
      t => void (t.left_children[1] = 1),
      'tree 1, node 1: E203: m is truncated or damaged: the tree leads to this node more than once',
    ],
    ['a child is the root', t => void (t.right_children[1] = 0), 'tree 1, node 0: E203'],
    ['a node has two parents', t => void (t.right_children[0] = 1), 'tree 1, node 1: E203'],
    [
      'a child beyond the end',
      t => void (t.right_children[1] = 5),
      'tree 1, node 1: E203: m is truncated or damaged: its child is node 5 of 5',
    ],
    ['a child far beyond', t => void (t.left_children[0] = 2 ** 31 - 1), 'tree 1, node 0: E203'],
    [
      'a negative child',
      t => void (t.left_children[0] = -7),
      'tree 1, node 0: E203: m is truncated or damaged: its child is node -7',
    ],
    ['one child', t => void (t.right_children[0] = -1), 'tree 1, node 0: E203'],
    [
      'a feature too many',
      t => void (t.split_indices[1] = 2),
      'tree 1, node 1: E203: m is truncated or damaged: it tests feature 2 of 2',
    ],
    ['a negative feature', t => void (t.split_indices[0] = -1), 'tree 1, node 0: E203'],
    [
      'a threshold that is no number',
      t => void (t.split_conditions[0] = 'NaN'),
      'tree 1, node 0: E203: m is truncated or damaged: its threshold is no number',
    ],
    [
      'lists of unequal lengths',
      t => void t.right_children.pop(),
      'tree 1.right_children: E203: m is truncated or damaged: 4 numbers instead of 5',
    ],
    ['fewer flags than nodes', t => void t.default_left.pop(), 'tree 1.default_left: E203'],
    [
      'another number of nodes',
      t => void (t.tree_param['num_nodes'] = '1000000000'),
      'tree 1: E203: m is truncated or damaged: it has 5 nodes and announces 1000000000',
    ],
    [
      'categories that are not there',
      t => void (t.split_type[1] = 1),
      'tree 1, node 1: E203: m is truncated or damaged: it splits categories and has none',
    ],
    ['leaves of a billion values', t => void (t.tree_param['size_leaf_vector'] = '1000000000'), 'tree 1: E203'],
  ];
  it.each(cases)('JSON and UBJSON: %s', (_, change, words) => {
    refused(json(changed(change)), 'E203', words);
    if (!words.includes('threshold')) refused(ubjson(changed(change)), 'E203', words);
  });
  it.each([
    [4, 0, 'tree 1, node 0: E203'],
    [4, 99, 'tree 1, node 0: E203: m is truncated or damaged: its child is node 99'],
    [8, -2, 'tree 1, node 0: E203'],
    [12, 77, 'tree 1, node 0: E203: m is truncated or damaged: it tests feature 77 of 4'],
  ])('binary: byte %i of a node is %i', (offset, value, words) => {
    const bytes = must(filesOf('xgboost-0.90.tar.gz').get('depth2.model')).slice();
    const view = new DataView(bytes.buffer);
    // Trees begin behind parameters and two names; the first one's size leads to the second.
    let at = 136;
    for (let n = 0; n < 2; n++) at += 8 + view.getUint32(at, true);
    at += 160;
    at += 148 + view.getInt32(at + 4, true) * 36;
    view.setInt32(at + 148 + offset, value, true);
    refused(bytes, 'E203', words);
  });
  it.each([
    [/left_child=.*/, 'left_child=0 1 2 3 4 5', 'tree 0, node 0: E203'],
    [/right_child=(\S+)/, 'right_child=-99', 'tree 0, node 0: E203'],
    [/split_feature=(\S+)/, 'split_feature=9', 'tree 0, node 0: E203: m is truncated or damaged: it tests feature 9'],
    [
      /num_leaves=\d+/,
      'num_leaves=1000000000',
      "tree 0: E203: m is truncated or damaged: 'split_feature' has 6 numbers instead of 999999999",
    ],
    [/leaf_value=(\S+)/, 'leaf_value=much', "tree 0: E203: m is truncated or damaged: 'leaf_value' has 'much' for a number"],
    [/num_tree_per_iteration=\d+/, 'num_tree_per_iteration=4000000', 'header: E203'],
    [/max_feature_idx=\d+/, 'max_feature_idx=4000000000', 'E203'],
    [/is_linear=0/, 'is_linear=1', "tree 0: E203: m is truncated or damaged: 'num_features' has 0 numbers instead of 7"],
  ] as const)('LightGBM: %s', (from, to, words) => {
    const text = new TextDecoder().decode(filesOf('lightgbm-4.7.0.tar.gz').get('plain.txt'));
    expect(text).toMatch(from);
    const e = errorOf(utf8(text.replace(from, to)));
    expect(e.message).toContain(words);
  });
  const linear = filesOf('lightgbm-4.7.0-linear.tar.gz');
  it.each([
    [/num_features=\d/, 'num_features=2147483647', "'leaf_features' has"],
    [/num_features=\d/, 'num_features=-1', "'leaf_features' has"],
    [/leaf_features=\S+/, 'leaf_features=4', 'leaf 0 uses feature 4 of 4'],
    [/leaf_coeff=\S+/, 'leaf_coeff=', "'leaf_coeff' has"],
    [/leaf_const=\S+ /, 'leaf_const=', "'leaf_const' has 5 numbers instead of 6"],
  ] as const)('linear trees of LightGBM: %s', (from, to, words) => {
    // Those of the second tree: the first has constants alone.
    const text = new TextDecoder().decode(linear.get('linear.txt'));
    const second = text.indexOf('Tree=1');
    const changed = text.slice(0, second) + text.slice(second).replace(from, to);
    expect(errorOf(utf8(changed)).message).toMatch(new RegExp(`tree 1: E203.*${words}`));
  });
  it.each([
    ['"tree_structure": {', '"tree_structure": 5, "other": {', 'tree 0: E203: m is truncated or damaged: a node is no object'],
    ['"split_index": 0', '"split_index": 7', 'are not numbered from 0'],
    ['"leaf_index": 0', '"leaf_index": 1', 'are not numbered from 0'],
    ['"left_child": {', '"left": {', 'a node is no object'],
    ['"leaf_value": ', '"leaf_value": "x", "y": ', "'leaf_value' of a node is missing or no number"],
    ['"split_feature": ', '"split_feature": 9, "x": ', 'it tests feature 9'],
    ['"threshold": "', '"threshold": "4000000000||', 'a category of 4000000000'],
    ['"threshold": "', '"threshold": "-1||', "its categories are '-1||"],
    ['"tree_info": ', '"trees": ', "header: E203: m is truncated or damaged: 'tree_info' is missing"],
    ['"num_tree_per_iteration": 1', '"num_tree_per_iteration": 3', '4 trees for 3 outputs'],
  ] as const)('dumps of LightGBM: %s as %s', (from, to, words) => {
    const text = new TextDecoder().decode(linear.get('dump-categories.json'));
    expect(text).toContain(from);
    expect(errorOf(utf8(text.replace(from, to))).message).toContain(words);
  });
  it('a chain without an end in sight', () => {
    let t: Tree = 1;
    for (let i = 0; i < 5000; i++) t = split(0, t);
    refused(json(document({ trees: [t] })), 'E203', 'the tree is more than 4096 steps deep');
  });
  it('numbers of features and classes beyond reason', () => {
    refused(json(document({ trees: [1], features: 1e9 })), 'E203', 'it announces 1000000000 features');
    refused(json(document({ trees: [1], classes: 1e9, objective: 'multi:softprob' })), 'E203', 'it announces 1000000000 outputs');
    refused(json(document({ trees: [1], linear: [1, 2, 3, 4] })), 'E203', '4 weights for 2 features and 1 outputs');
    refused(json(document({ trees: [1, 2], info: [0] })), 'E203', 'tree_info: E203');
    refused(
      json(document({ trees: [{ f: 0, cats: [2 ** 30], l: 1, r: 2 }] })),
      'E203',
      'tree 0, node 0: E203: m is truncated or damaged: 1073741824 is no category',
    );
    refused(
      json(document({ trees: [1], objective: 'reg:magic' })),
      'E101',
      'objective reg:magic is not supported; only its margin is known',
    );
  });
});

describe('lengths that lie', () => {
  const length = (n: bigint): Uint8Array => {
    const b = new Uint8Array(9);
    b[0] = 0x4c;
    new DataView(b.buffer).setBigInt64(1, n);
    return b;
  };
  const TEN_GB = 10n ** 10n;
  it.each([
    ['an array of floats', concat('{', length(1n), 'a[$d#', length(TEN_GB))],
    ['an array of values', concat('{', length(1n), 'a[#', length(TEN_GB))],
    ['an array of nothing', concat('{', length(1n), 'a[$Z#', length(TEN_GB))],
    ['a text', concat('{', length(1n), 'aS', length(TEN_GB))],
    ['a key', concat('{', length(TEN_GB))],
    ['an object', concat('{$U#', length(TEN_GB))],
    ['a negative length', concat('{', length(-1n))],
    ['the longest length', concat('{', length(2n ** 63n - 1n))],
    ['a length that is no integer', concat('{', length(1n), 'a[$U#d\x7f\xc0\0\0')],
    ['arrays in arrays', concat('{', length(1n), 'a', '['.repeat(100_000))],
  ])('UBJSON: %s', (_, bytes) => {
    refused(bytes, 'E203', 'UBJSON, byte');
  });
  it.each([
    ['trees', 0, 'E203: m is truncated or damaged: 2147483647 trees are announced'],
    ['nodes', 160 + 4, 'tree 0, byte'],
  ])('binary: %s', (_, offset, words) => {
    const bytes = must(filesOf('xgboost-0.90.tar.gz').get('depth2.model')).slice();
    const view = new DataView(bytes.buffer);
    let at = 136;
    for (let n = 0; n < 2; n++) at += 8 + view.getUint32(at, true);
    view.setInt32(at + offset, 2 ** 31 - 1, true);
    refused(bytes, 'E203', words);
    const name = concat('binf', bytes);
    new DataView(name.buffer).setBigUint64(4 + 136, TEN_GB, true);
    refused(name, 'E203', 'a name of 10000000000 bytes');
  });
  it('archives', () => {
    const empty = new Uint8Array(0);
    refused(
      tarOf([{ name: 'xgboost-model', bytes: empty, size: 10e9 }]),
      'E203',
      'an entry of 10000000000 bytes in an archive of',
    );
    refused(tarOf([{ name: 'xgboost-model', bytes: empty, size: 8 ** 11 - 1 }]), 'E203', 'an entry of 8589934591 bytes');
    refused(tarOf([{ name: 'xgboost-model', bytes: empty, size: 2 ** 60 }]), 'E203', 'tar: a');
    const flipped = tar('xgboost-model', utf8('{}'));
    flipped[0] = 0x79;
    refused(flipped, 'E203', 'the checksum of an entry is wrong');
  });
  it('what unpacks to far more than it is', () => {
    const bomb = new Uint8Array(quickGzip(new Uint8Array(80 << 20), { level: 1 }));
    refused(bomb, 'E203', 'it unpacks to more than');
    // The limit is that of the outermost file.
    refused(gzipSync(gzipSync(bomb)), 'E203', 'it unpacks to more than');
    refused(zlibSync(zlibSync(zlibSync(zlibSync(zlibSync(utf8('{}')))))), 'E202', 'it is packed too many times');
  });
  it('pickles', () => {
    refused(concat('\x80\x04\x8e', new Uint8Array(8).fill(0x7f)), 'E203', 'pickle, byte');
    refused(concat('\x80\x04\x95\xff\xff\0\0\0\0\0\0N.'), 'E203', 'a frame that is longer than the file');
    refused(concat('\x80\x02\x8b\xff\xff\xff\x7f'), 'E203', 'pickle, byte');
    refused(concat('\x80\x02j\x05\0\0\0.'), 'E203', 'memo 5 is read and was never written');
    refused(concat('\x80\x02t.'), 'E203', 'an opcode finds no mark on the stack');
    refused(concat('\x80\x02.'), 'E203', 'an opcode finds nothing on the stack');
    // Lists copied from lists grow beyond all bounds in other readers.
    const grow = 'q\0' + 'cbuiltins\nlist\nh\0\x85R'.repeat(3);
    refused(concat('\x80\x02](' + 'K\x01'.repeat(30_000) + 'e' + grow.repeat(400) + '.'), 'E203', 'it copies more than');
  });
  it('text that is slow to look through', () => {
    refused(utf8(`{"a": "${'\\"'.repeat(200_000)}`), 'E203', 'it is no complete JSON');
    refused(utf8(`{"learner": ${'['.repeat(200_000)}`), 'E203', 'it is no complete JSON');
    refused(utf8(`tree\nversion=v4\n${'Tree=1 '.repeat(100_000)}`), 'E203', "'end of trees' is missing");
    refused(utf8(`tree\nversion=v4\nend of trees${' '.repeat(200_000)}x`), 'E203', "'end of trees' is missing");
  });
});

describe('pickles that would run something', () => {
  const marker = join(tmpdir(), `sinter-pickle-${process.pid}`);
  const command = `touch ${marker}`;
  const short = (s: string): string => `\x8c${String.fromCharCode(s.length)}${s}`;
  const pickles: readonly (readonly [string, string, string])[] = [
    ['protocol 0', `cos\nsystem\n(S'${command}'\ntR.`, 'os.system'],
    ['posix.system', `cposix\nsystem\n(S'${command}'\ntR.`, 'posix.system'],
    ['protocol 2', `\x80\x02cposix\nsystem\nX${String.fromCharCode(command.length)}\0\0\0${command}\x85R.`, 'posix.system'],
    ['protocol 4', `\x80\x04${short('os')}${short('system')}\x93${short(command)}\x85R.`, 'os.system'],
    ['eval', `\x80\x02c__builtin__\neval\nX\x03\0\0\x001+1\x85R.`, 'builtins.eval'],
    ['a subprocess', `\x80\x02csubprocess\nPopen\nX\x02\0\0\0ls\x85R.`, 'subprocess.Popen'],
    ['getattr', `\x80\x02c__builtin__\ngetattr\nN\x85R.`, 'builtins.getattr'],
    [
      'a name that looks like an allowed one',
      `\x80\x02cxgboost.core\nBooster.__init__.__globals__\n.`,
      'xgboost.core.Booster.__init__',
    ],
    ['a module that looks like an allowed one', `\x80\x02cxgboost.core.os\nsystem\n.`, 'xgboost.core.os.system'],
    [
      'inside the state of a booster',
      `\x80\x02cxgboost.core\nBooster\n)\x81}X\x06\0\0\0handlecos\nsystem\nX\x02\0\0\0ls\x85Rsb.`,
      'os.system',
    ],
    [
      'inside a booster of LightGBM',
      `\x80\x04${short('lightgbm.basic')}${short('Booster')}\x93)\x81}${short('_handle')}cos\nsystem\n${short('ls')}\x85Rsb.`,
      'os.system',
    ],
    ['a scikit-learn model', `\x80\x02csklearn.linear_model\nLinearRegression\n)\x81.`, 'export them to ONNX with skl2onnx'],
    ['INST', `\x80\x02(ios\nsystem\n.`, 'opcode INST'],
    ['OBJ', `\x80\x02(cxgboost.core\nBooster\no.`, 'opcode OBJ'],
    ['a persistent id', `\x80\x02Pos.system\n.`, 'opcode PERSID'],
    ['an extension', `\x80\x02\x82\x01.`, 'opcode EXT1'],
    ['a call of what is no function', `\x80\x02X\x02\0\0\0os)R.`, 'calls what is no named function'],
  ];
  it.each(pickles)('%s', (_, text, words) => {
    rmSync(marker, { force: true });
    const bytes = concat(text);
    for (const b of [bytes, gzipSync(bytes), tar('xgboost-model', bytes), gzipSync(tar('xgboost-model', bytes))]) {
      refused(b, 'E202', words);
      expect(errorOf(b).message).toContain('nothing of it was executed');
    }
    expect(existsSync(marker)).toBe(false);
  });
  it('and those that hold no model', () => {
    refused(concat('\x80\x02}.'), 'E202', 'it is a pickle of a dict, not of an XGBoost model');
    refused(
      Uint8Array.from([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]),
      'E202',
      'it is written by PyTorch',
    );
    refused(concat('\x80\x02cxgboost.core\nBooster\n)\x81}b.'), 'E202', 'its booster holds no model');
    refused(concat('\x80\x02cxgboost.sklearn\nXGBRegressor\n)\x81}b.'), 'E202', 'is not trained');
    refused(concat('\x80\x02clightgbm.sklearn\nLGBMRegressor\n)\x81}b.'), 'E202', 'is not trained');
    refused(
      concat('\x80\x02cxgboost.core\nBooster\n)\x81}X\x06\0\0\0handleC\x03abcsb.'),
      'E202',
      'a model of no form that XGBoost writes',
    );
  });
});

describe('archives that lead elsewhere', () => {
  const model = json(sound());
  it.each([
    '../xgboost-model',
    'a/../../xgboost-model',
    '/etc/xgboost-model',
    'C:\\xgboost-model',
    '..\\xgboost-model',
    './../xgboost-model',
  ])('%s', name => refused(tar(name, model), 'E202', 'would leave the folder that it is unpacked to'));
  it('by long names of GNU and pax', () => {
    const long = utf8('../xgboost-model\0');
    refused(
      tarOf([
        { name: '././@LongLink', bytes: long, type: 'L' },
        { name: 'x', bytes: model },
      ]),
      'E202',
      "'../xgboost-model' would leave",
    );
    refused(
      tarOf([
        { name: 'pax', bytes: utf8('25 path=../xgboost-model\n'), type: 'x' },
        { name: 'x', bytes: model },
      ]),
      'E202',
      "'../xgboost-model' would leave",
    );
  });
  it('by links, which are not followed', () => {
    refused(
      tarOf([{ name: 'xgboost-model', bytes: new Uint8Array(0), type: '2' }]),
      'E202',
      'the archive holds no xgboost-model',
    );
  });
  it('or hold nothing, or too much', () => {
    refused(tarOf([{ name: 'notes.txt', bytes: utf8('notes') }]), 'E202', 'the archive holds no xgboost-model');
    refused(
      tarOf([
        { name: 'a.json', bytes: model },
        { name: 'b.json', bytes: model },
      ]),
      'E202',
      'the archive holds 2 models (a.json, b.json, …) and none is named xgboost-model',
    );
    const inside = tar(
      'xgboost-model',
      tar('xgboost-model', tar('xgboost-model', tar('xgboost-model', tar('xgboost-model', model)))),
    );
    refused(inside, 'E202', 'packed too many times');
  });
});

describe('what is no model', () => {
  it.each([
    ['nothing', new Uint8Array(0), 'the file is empty'],
    ['JSON', utf8('{"a": 1}'), "this looks like a JSON file, but it has no 'learner'"],
    ['a list', utf8('[{"nodeid": 0}]'), 'this looks like a JSON file'],
    ['a dump', utf8('booster[0]:\n0:[f0<1] yes=1,no=2,missing=1\n'), 'a text dump of XGBoost'],
    ['CatBoost', utf8('CBM1\0\0\0\0'), 'a CatBoost model'],
    ['a web page', utf8('<!doctype html><html>'), 'a web page'],
    ['a zip', zipSync({ 'data.pkl': new Uint8Array(30) }), 'a zip archive'],
    ['a packed zip', gzipSync(zipSync({ 'data.pkl': new Uint8Array(30) })), 'a zip archive'],
  ])('%s', (_, bytes, words) => refused(bytes, 'E202', words));
  it('says what is read', () => {
    expect(errorOf(utf8('<?xml version="1.0"?>')).message).toContain(
      'XGBoost as JSON, UBJSON, binary, pickle or the model.tar.gz of SageMaker; LightGBM as text, JSON or pickle',
    );
  });
  it('is not believed where the format is forced', () => {
    const force = (bytes: Uint8Array, format: 'onnx' | 'xgboost' | 'lightgbm') => (): unknown =>
      importModel(bytes, { file: 'm', format });
    expect(force(json(sound()), 'onnx')).toThrow(/E202: .*this looks like a JSON file/);
    expect(force(json(sound()), 'lightgbm')).toThrow(/E203: .*'end of trees' is missing/);
    expect(force(utf8('tree\nend of trees\n'), 'xgboost')).toThrow(/E202: .*none of the forms that XGBoost writes/);
    expect(force(json(sound()), 'caffe' as 'onnx')).toThrow(
      "E403: option format: 'caffe' is none of onnx, tflite, tensorflow, keras, xgboost, lightgbm",
    );
    expect(force(json(sound()), 'xgboost')).not.toThrow();
  });
});
