import { must } from '../../core/diagnostic.ts';
import { showDim, type Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { docPython, quotePython } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import type { Port, Program } from '../../program/program.ts';
import { computedSymbols, solveSymbols } from '../../program/symbols.ts';
import { sizeSource } from '../../program/size-source.ts';
import { hasTexts } from '../../backend/c/header.ts';
import { namesOf } from '../../backend/c/names.ts';

const NUMPY: Readonly<Record<DType, string>> = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  bf16: 'uint16',
  f8e4m3fn: 'uint8',
  f8e4m3fnuz: 'uint8',
  f8e5m2: 'uint8',
  f8e5m2fnuz: 'uint8',
  f8e8m0: 'uint8',
  f4e2m1: 'uint8',
  i2: 'int8',
  u2: 'uint8',
  i4: 'int8',
  u4: 'uint8',
  i8: 'int8',
  u8: 'uint8',
  i16: 'int16',
  u16: 'uint16',
  i32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  u64: 'uint64',
  bool: 'bool_',
  text: 'str_',
};
/** A size as Python over the dictionary `s`. */
const size = (d: Dim): string =>
  sizeSource(d, name => `s[${quotePython(name)}]`, {
    floordiv: (a, b) => `(${a} // (${b}) if ${b} else 0)`,
    extreme: (op, a, b) => `${op}(${a}, ${b})`,
  });

/** model.py: the shared library behind ctypes, with NumPy arrays in and out. Python 3.8, NumPy alone. */
export function pythonText(p: Program, head: string, arena: number, profile: Profile, library: string): string {
  const { threads } = profile;
  const texts = hasTexts(p);
  const spelt = [...p.inputs, ...p.outputs].some(x => x.spelt);
  const { align } = profile.memory;
  const names = namesOf(p);
  const n = names.prefix;
  const given = p.symbols.filter(s => s.from === 'input');
  const computed = computedSymbols(p);
  const word = (s: string): string => must(names.symbols.get(s));
  const port = (x: Port, c: string): string =>
    `    (${quotePython(x.name)}, ${quotePython(c)}, np.${x.spelt ? 'bytes_' : NUMPY[x.type.dtype]}, ${quotePython(`[${x.type.shape.map(showDim).join(', ')}]`)}),`;
  const tuple = (xs: readonly string[]): string =>
    `(${xs
      .map(x => `${x}, `)
      .join('')
      .trimEnd()})`;
  const solved = solveSymbols(p.inputs, p.symbols).map(s => {
    const got = `shapes[${s.port}][${s.axis}]`;
    const rest = s.add === 0 ? got : `(${got} - ${size(s.add)})`;
    return `    s[${quotePython(s.symbol.name)}] = ${s.mul === 1 ? rest : `${rest} // (${size(s.mul)})`}`;
  });
  const shapes = (ports: readonly Port[]): string => `[${ports.map(x => tuple(x.type.shape.map(size))).join(', ')}]`;
  const most = p.outputs.map(x => tuple(x.type.shape.map(d => size(d))));
  const struct = (name: string, fields: readonly string[]): string =>
    `class _${name}(ctypes.Structure):\n    _fields_ = [${fields.map(f => `\n        ${f},`).join('')}\n    ]\n\n\n`;
  const int = (s: string): string => `("${s}", ctypes.c_int32)`;
  const pointer = (s: string): string => `("${s}", ctypes.c_void_p)`;
  return `"""${docPython(head)}

    import model
    outputs = model.run(${p.inputs.map(x => `${must(names.inputs.get(x))}=array`).join(', ')})    # {name: numpy array}

run takes the inputs by their names in C or, from a dictionary, by their own: model.run(**{...}).
"""
import ctypes
import os

import numpy as np

INPUTS = [
${p.inputs.map(x => port(x, must(names.inputs.get(x)))).join('\n')}
]
OUTPUTS = [
${p.outputs.map(x => port(x, must(names.outputs.get(x)))).join('\n')}
]
${
  texts
    ? `TEXTS = [${(p.texts ?? []).map(quotePython).join(', ')}]
_PLACES = {text: i for i, text in enumerate(TEXTS)}
`
    : ''
}_RANGES = {${given.map(s => `${quotePython(s.name)}: (${s.lo}, ${s.hi})`).join(', ')}}
_MOST = {${p.symbols.map(s => `${quotePython(s.name)}: ${s.hi}`).join(', ')}}
_ARENA, _ALIGN = ${arena}, ${align}


${
  given.length > 0
    ? struct(
        'Dims',
        given.map(s => int(word(s.name))),
      )
    : ''
}${
    computed.length > 0
      ? struct(
          'Sizes',
          computed.map(s => int(word(s.name))),
        )
      : ''
  }${struct('Inputs', [...(given.length > 0 ? ['("dims", _Dims)'] : []), ...p.inputs.map(x => pointer(must(names.inputs.get(x))))])}${struct('Outputs', [...p.outputs.map(x => pointer(must(names.outputs.get(x)))), ...(computed.length > 0 ? ['("sizes", ctypes.POINTER(_Sizes))'] : [])])}_here = os.path.dirname(os.path.abspath(__file__))
_library = ctypes.CDLL(os.path.join(_here, "${library}"))
${
  threads > 1
    ? `_pool_create, _pool_destroy = _library.sinter_pool_create, _library.sinter_pool_destroy
_pool_create.argtypes, _pool_create.restype = [ctypes.c_int], ctypes.c_void_p
_pool_destroy.argtypes, _pool_destroy.restype = [ctypes.c_void_p], None
_run = _library.${n}_run_on
`
    : `_run = _library.${n}_run
`
}_run.argtypes = [${threads > 1 ? 'ctypes.c_void_p, ' : ''}ctypes.POINTER(_Inputs), ctypes.POINTER(_Outputs), ctypes.c_void_p, ctypes.c_size_t]
_error = _library.${n}_error
_error.restype = ctypes.c_char_p

${
  threads > 1
    ? `_pool = _pool_create(${threads})


def threads(n):
    """At most so many threads work on a run, of ${threads} that the model was compiled for. Not while one is under way."""
    global _pool
    _pool_destroy(_pool)
    _pool = _pool_create(min(n, ${threads}))

`
    : ''
}
def _solve(shapes):
    s = {}
${solved.join('\n')}${solved.length > 0 ? '\n' : ''}    return s


def run(**inputs):
    """Runs the model. Raises TypeError or ValueError where an input is missing, unknown or does not fit."""
${texts ? '    places = dict(_PLACES)\n' : ''}    arrays = []
    for name, word, dtype, shape in INPUTS:
        if name not in inputs and word not in inputs:
            raise TypeError("input %s %s is missing" % (name, shape))
        array = np.asarray(inputs.pop(name) if name in inputs else inputs.pop(word), order="C")
        if dtype == np.float64 and np.can_cast(array.dtype, dtype):
            array = array.astype(dtype, copy=False)
${
  texts
    ? `        if dtype == np.str_:
            if array.dtype.kind not in "UO":
                raise TypeError("input %s is %s, not str" % (name, array.dtype))
            ids = [places.setdefault(str(text), len(places)) for text in array.ravel()]
            array, dtype = np.array(ids, np.int32).reshape(array.shape), np.int32
`
    : ''
}${
    spelt
      ? `        if dtype == np.bytes_:
            # Texts are bytes of UTF-8 along a last axis more, with zeros behind the end.
            if array.dtype.kind not in "UO":
                raise TypeError("input %s is %s, not str" % (name, array.dtype))
            spelt = [str(text).encode() for text in array.ravel()]
            width = max([1] + [len(text) for text in spelt])
            joined = bytearray(b"".join(text.ljust(width, b"\\0") for text in spelt))
            array, dtype = np.array(joined, np.uint8).reshape(array.shape + (width,)), np.uint8
`
      : ''
  }        if array.dtype != dtype:
            raise TypeError("input %s is %s, not %s" % (name, array.dtype, np.dtype(dtype).name))
        if array.ndim != (shape.count(", ") + 1 if shape != "[]" else 0):
            raise ValueError("input %s has shape %s, not %s" % (name, array.shape, shape))
        arrays.append(array)
    if inputs:
        raise TypeError("there is no input %s" % ", ".join(inputs))
    shapes = [a.shape for a in arrays]
    s = _solve(shapes)
    for symbol, (low, high) in _RANGES.items():
        if not low <= s[symbol] <= high:
            raise ValueError("%s is %d, but must be %d to %d" % (symbol, s[symbol], low, high))
    for (name, _, _, shape), got, want in zip(INPUTS, shapes, ${shapes(p.inputs)}):
        if got != want:
            raise ValueError("input %s has shape %s, but must be %s" % (name, got, want))
    room = dict(_MOST)
    room.update(s)
    results = [np.empty(shape, ${texts ? 'np.int32 if dtype == np.str_ else ' : ''}${spelt ? 'np.uint8 if dtype == np.bytes_ else ' : ''}dtype) for (_, _, dtype, _), shape in zip(OUTPUTS, _shapes(room))]
    # Memory of its own for each call: two threads may run at a time.
    scratch = np.empty(_ARENA + _ALIGN, np.uint8)
    arena = scratch.ctypes.data + -scratch.ctypes.data % _ALIGN
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in arrays]
${given.length > 0 ? `    dims = _Dims(${given.map(s => `s[${quotePython(s.name)}]`).join(', ')})\n` : ''}${computed.length > 0 ? '    sizes = _Sizes()\n' : ''}    given = _Inputs(${given.length > 0 ? 'dims, ' : ''}*pointers)
    made = _Outputs(*[a.ctypes.data_as(ctypes.c_void_p) for a in results]${computed.length > 0 ? ', ctypes.pointer(sizes)' : ''})
    code = _run(${threads > 1 ? '_pool, ' : ''}ctypes.byref(given), ctypes.byref(made), arena, _ARENA)
    if code != 0:
        raise ValueError(_error(code).decode())
${computed.map(s => `    s[${quotePython(s.name)}] = sizes.${word(s.name)}\n`).join('')}    ${texts || spelt ? 'out =' : 'return'} {
        name: a if a.shape == shape else a.ravel()[: int(np.prod(shape, dtype=np.int64))].reshape(shape).copy()
        for (name, _, _, _), a, shape in zip(OUTPUTS, results, _shapes(s))
    }
${
  texts
    ? `    found = np.array(list(places), object)
    for name, _, dtype, _ in OUTPUTS:
        if dtype == np.str_:
            out[name] = found[out[name]].astype(np.str_)
`
    : ''
}${
    spelt
      ? `    for name, _, dtype, _ in OUTPUTS:
        if dtype == np.bytes_:
            a = out[name]
            found = [bytes(t).rstrip(b"\\0").decode("utf-8", "replace") for t in a.reshape(-1, max(1, a.shape[-1]))]
            out[name] = np.array(found, np.str_).reshape(a.shape[:-1])
`
      : ''
  }${texts || spelt ? '    return out\n' : ''}

def _shapes(s):
    return [${most.join(', ')}]
`;
}
