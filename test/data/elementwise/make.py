"""Writes elementwise.json: what elementwise operators give, by numpy where it is exact and by mpmath with 60 digits where it is not.

python3 make.py      (needs numpy and mpmath, which the tests do not)

A case names an operator, its attributes, its inputs in the list of inputs, and the wanted elements. Elements are base64 of little-endian
memory. Functions with rounding have their exact value rounded to float64, for inputs of float32 too: the test counts units of the last place.
"""
import base64, json, os
import mpmath as mp
import numpy as np

mp.mp.dps = 60
np.seterr(all='ignore')
rng = np.random.default_rng(20)
NAMES = {'float32': 'f32', 'float64': 'f64', 'int8': 'i8', 'uint8': 'u8', 'int32': 'i32', 'int64': 'i64', 'uint32': 'u32', 'bool': 'bool', 'float16': 'f16'}
inputs, cases = [], []


def packed(a):
    return {'dtype': NAMES[str(a.dtype)], 'data': base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()}


def of(*arrays):
    out = []
    for a in arrays:
        p = packed(a)
        if p not in inputs:
            inputs.append(p)
        out.append(inputs.index(p))
    return out


def case(op, xs, want, **attrs):
    cases.append({'op': op, **({'attrs': attrs} if attrs else {}), 'inputs': of(*xs), 'want': packed(want)})


def floats(t):
    """Zeros, denormals, the ends of the range, halves that rounding decides, and numbers of all sizes."""
    f = np.finfo(t)
    few = [0.0, 1, 0.5, 1.5, 2.5, 3.5, 0.25, 100, 0.3, 2.0 ** (f.nmant - 1) + 0.5, 2.0**f.nmant + 1, float(np.nextafter(t(0.5), t(0))),
           float(f.smallest_subnormal), 3 * float(f.smallest_subnormal), float(f.tiny), float(f.max), float(f.eps), 1 + float(f.eps)]
    rest = rng.normal(0, 1, 8) * 10.0 ** rng.uniform(-6, 6, 8)
    return np.array([*few, *[-x for x in few], *rest, np.inf, -np.inf, np.nan], t)


def pairs(a):
    """Each of some elements with each: both sides of a binary operator."""
    return np.repeat(a, len(a)), np.tile(a, len(a))


# Exact: numpy in the type itself.
for t in (np.float32, np.float64):
    x = floats(t)
    for op, f in [('Abs', np.abs), ('Neg', np.negative), ('Sign', np.sign), ('Ceil', np.ceil), ('Floor', np.floor), ('Round', np.rint),
                  ('Trunc', np.trunc), ('Sqrt', np.sqrt), ('Reciprocal', lambda v: t(1) / v), ('IsNaN', np.isnan), ('IsInf', np.isinf),
                  ('Relu', lambda v: np.maximum(v, t(0)))]:
        case(op, [x], f(x))
    case('Clip', [x], np.clip(x, t(-1), t(2.5)), lo=-1, hi=2.5)
    case('LeakyRelu', [x], np.where(x < 0, x * t(0.25), x), alpha=0.25)
    case('ThresholdedRelu', [x], np.where(x > 1, x, t(0)), alpha=1)
    f = np.finfo(t)
    a, b = pairs(np.array([0, -0.0, 1, -2.5, 7.25, float(f.smallest_subnormal), -float(f.max), 1 / 3, np.inf, np.nan], t))
    for op, f in [('Add', np.add), ('Sub', np.subtract), ('Mul', np.multiply), ('Div', np.divide), ('Min', np.minimum), ('Max', np.maximum),
                  ('Equal', np.equal), ('Less', np.less), ('LessOrEqual', np.less_equal), ('Greater', np.greater), ('GreaterOrEqual', np.greater_equal)]:
        case(op, [a, b], f(a, b))
    a, b = pairs(np.array([1, -1, 2.5, -7.25, 0.5, 100, -3], t))
    case('Mod', [a, b], np.mod(a, b))
    case('Mod', [a, b], np.fmod(a, b), fmod=True)
    case('PRelu', [a, b], np.where(a < 0, a * b, a))
for t in (np.int8, np.uint8, np.int32, np.uint32, np.int64):
    i = np.iinfo(t)
    few = np.array([0, 1, 2, 3, 7, 100, i.max, i.min, i.max - 1] + ([-1, -2, -7] if i.min < 0 else []), t)
    a, b = pairs(few)
    for op, f in [('Add', np.add), ('Sub', np.subtract), ('Mul', np.multiply), ('Min', np.minimum), ('Max', np.maximum), ('BitAnd', np.bitwise_and),
                  ('BitOr', np.bitwise_or), ('BitXor', np.bitwise_xor), ('Equal', np.equal), ('Less', np.less), ('GreaterOrEqual', np.greater_equal)]:
        case(op, [a, b], f(a, b))
    # By Python's integers: towards zero, and 0 for a zero divisor. The quotient of the least integer by -1 wraps.
    quotient = [0 if q == 0 else (abs(p) // abs(q)) * (1 if (p < 0) == (q < 0) else -1) for p, q in zip(a.tolist(), b.tolist())]
    case('Div', [a, b], np.array([(q - i.min) % (int(i.max) - int(i.min) + 1) + i.min for q in quotient], dtype=object).astype(t))
    case('Mod', [a, b], np.array([0 if q == 0 else p % q for p, q in zip(a.tolist(), b.tolist())], t))
    case('Mod', [a, b], np.array([0 if q == 0 else int(np.sign(p)) * (abs(p) % abs(q)) for p, q in zip(a.tolist(), b.tolist())], t), fmod=True)
    case('BitNot', [few], np.bitwise_not(few))
    case('Abs', [few], np.abs(few))
    case('Sign', [few], np.sign(few))
    if i.min == 0:
        s, by = np.repeat(few, 4), np.tile(np.array([0, 1, 3, 7], t), len(few))
        case('BitShift', [s, by], np.left_shift(s, by), left=True)
        case('BitShift', [s, by], np.right_shift(s, by), left=False)
a, b = pairs(np.array([False, True]))
for op, f in [('And', np.logical_and), ('Or', np.logical_or), ('Xor', np.logical_xor)]:
    case(op, [a, b], f(a, b))
case('Not', [a], np.logical_not(a))
case('Where', [a, np.array([1, 2, 3, np.nan], np.float32), np.array([5, np.inf, 7, 8], np.float32)], np.array([5, np.inf, 3, np.nan], np.float32))
# Between floats: to nearest, ties to even; integers of what fits, towards zero.
half = floats(np.float32)
for t in (np.float16, np.float64):
    case('Cast', [half], half.astype(t), to=NAMES[str(np.dtype(t))])
double = np.concatenate([floats(np.float64), [65519.99, 65520, 2.0**-25, 2.0**-24 * 1.5, 2049, 2051, 2049 + 2.0**-40, 1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-24, 1 + 3 * 2.0**-24]])
for t in (np.float16, np.float32):
    case('Cast', [double], double.astype(t), to=NAMES[str(np.dtype(t))])
whole = np.array([0, 0.9, -0.9, 1.5, -1.5, 126.99, -127.99], np.float32)
for t in (np.int8, np.int32, np.int64):
    case('Cast', [whole], np.trunc(whole).astype(t), to=NAMES[str(np.dtype(t))])
wide = np.array([0, 1, -1, 16777217, 2**31 - 1, -(2**31)], np.int32)
for t in (np.float32, np.float64, np.int64):
    case('Cast', [wide], wide.astype(t), to=NAMES[str(np.dtype(t))])

# Rounded: the exact value by mpmath.
INF, NAN = mp.inf, mp.nan
sigmoid = lambda v: 1 / (1 + mp.exp(-v))
softplus = lambda v: mp.log1p(mp.exp(v)) if v < 200 else v + mp.exp(-v)
FUNCTIONS = [
    # Name, function, the domain that it is tried on, limits at -inf and inf, attributes.
    ('Exp', mp.exp, (-86, 88), (0, INF), {}), ('Log', mp.log, (1e-38, 1e38), (NAN, INF), {}),
    ('Sin', mp.sin, (-1e4, 1e4), (NAN, NAN), {}), ('Cos', mp.cos, (-1e4, 1e4), (NAN, NAN), {}), ('Tan', mp.tan, (-1e4, 1e4), (NAN, NAN), {}),
    ('Asin', mp.asin, (-1, 1), (NAN, NAN), {}), ('Acos', mp.acos, (-1, 1), (NAN, NAN), {}), ('Atan', mp.atan, (-1e6, 1e6), (-mp.pi / 2, mp.pi / 2), {}),
    ('Sinh', mp.sinh, (-85, 85), (-INF, INF), {}), ('Cosh', mp.cosh, (-85, 85), (INF, INF), {}), ('Tanh', mp.tanh, (-20, 20), (-1, 1), {}),
    ('Asinh', mp.asinh, (-1e6, 1e6), (-INF, INF), {}), ('Acosh', mp.acosh, (1, 1e6), (NAN, INF), {}), ('Atanh', mp.atanh, (-0.999, 0.999), (NAN, NAN), {}),
    ('Erf', mp.erf, (-5, 5), (-1, 1), {}), ('Sigmoid', sigmoid, (-80, 80), (0, 1), {}),
    ('Softplus', softplus, (-80, 80), (0, INF), {}), ('Softsign', lambda v: v / (1 + abs(v)), (-1e6, 1e6), None, {}),
    ('Mish', lambda v: v * mp.tanh(softplus(v)), (-80, 80), None, {}), ('Swish', lambda v: v * sigmoid(v), (-80, 80), None, {}),
    ('Gelu', lambda v: v * mp.erfc(-v / mp.sqrt(2)) / 2, (-5, 30), None, {}),
    ('Gelu', lambda v: v * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (v + mp.mpf('0.044715') * v**3))) / 2, (-5, 30), None, {'approximate': 'tanh'}),
    ('Elu', lambda v: v if v >= 0 else mp.expm1(v) / 2, (-80, 80), (-0.5, INF), {'alpha': 0.5}),
    ('HardSigmoid', lambda v: max(mp.mpf(0), min(mp.mpf(1), v / 4 + mp.mpf(1) / 2)), (-80, 80), (0, 1), {'alpha': 0.25, 'beta': 0.5}),
    ('HardSwish', lambda v: v * max(mp.mpf(0), min(mp.mpf(1), v / 6 + mp.mpf(1) / 2)), (-80, 80), None, {}),
    ('Shrink', lambda v: v + mp.mpf(1) / 4 if v < -0.5 else v - mp.mpf(1) / 4 if v > 0.5 else mp.mpf(0), (-80, 80), (-INF, INF), {'lambd': 0.5, 'bias': 0.25}),
]


def points(t, lo, hi):
    f = np.finfo(t)
    out = [lo, hi, *np.linspace(lo, hi, 12)] if lo >= 0 and lo > 1e-30 or lo < 0 else list(np.geomspace(lo, hi, 12))
    out += [s * 10.0**e for e in range(-8, 3) for s in (1.1, -3.7)]
    out += [0, -0.0, 0.5, -0.5, 1, -1, 2, -2, 1e-30, -1e-30]
    return np.array([v for v in np.array(out, t) if lo <= v <= hi], t)


for name, f, (lo, hi), limits, attrs in FUNCTIONS:
    for t in (np.float32, np.float64):
        x = points(t, lo, hi)
        want = [float(f(mp.mpf(float(v)))) for v in x]
        if limits:
            x, want = np.concatenate([x, np.array([-np.inf, np.inf], t)]), want + [float(v) for v in limits]
        # A comparison with NaN is false, so that Shrink gives 0.
        case(name, [np.concatenate([x, np.array([np.nan], t)])], np.array(want + [0 if name == 'Shrink' else np.nan], np.float64), **attrs)
for t in (np.float32, np.float64):
    a, b = (np.array(v, t) for v in zip(*[(p, q) for p in (0.1, 1, 1.5, 2, 37.3, 1e-3) for q in (-2.5, -1, -0.1, 0, 0.5, 1, 2, 3, 7.7)]))
    case('Pow', [a, b], np.array([float(mp.mpf(float(p)) ** mp.mpf(float(q))) for p, q in zip(a, b)]))
    a, b = (np.array(v, t) for v in zip(*[(0, 2), (0, 0), (-2, 3), (-2, 2), (-8, -1), (-2, 0.5), (1, np.inf), (2, -np.inf), (np.inf, 2), (0.5, np.inf), (np.nan, 0)]))
    case('Pow', [a, b], np.power(a.astype(np.float64), b.astype(np.float64)))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'elementwise.json'), 'w') as file:
    lines = lambda rows: ',\n'.join('  ' + json.dumps(r) for r in rows)
    file.write(f'{{ "inputs": [\n{lines(inputs)}\n], "cases": [\n{lines(cases)}\n] }}\n')
