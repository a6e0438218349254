# LiteRT and TensorFlow in Python, asked line by line: JSON comes in, JSON goes out.
# Arguments: FRAMEWORK, which is litert or tensorflow, and what to do: `about` tells version and files; `serve REQUEST` opens a model and
# answers; `cold-start REQUEST INPUTS` answers once and tells time and memory; `idle` does nothing. REQUEST is JSON: model, format, threads,
# rounding (of LiteRT: xnnpack or reference), signature, inputs and outputs (names, of graphs that do not tell them).
import time
start = time.perf_counter()
import json, os, resource, sys
framework, action = sys.argv[1:3]
def say(x):
    sys.__stdout__.write(json.dumps(x) + "\n")
    sys.__stdout__.flush()
# What libraries print is not an answer.
sys.stdout = sys.stderr
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
if action == "idle":
    say({"ms": 0, "rss": peak()})
    sys.exit()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
if framework == "litert":
    from importlib.metadata import version
    from ai_edge_litert import interpreter as litert
    package, release = os.path.dirname(litert.__file__), version("ai-edge-litert")
else:
    import tensorflow as tf
    package, release = os.path.dirname(tf.__file__), tf.__version__
if action == "about":
    found = [os.path.join(d, f) for d, _, files in os.walk(package) for f in files if ".so" in f]
    say({"version": release, "code": [f for f in sorted(found) if not os.path.islink(f)]})
    sys.exit()

class Lite:
    def __init__(self, q):
        kinds = litert.OpResolverType
        kind = kinds.BUILTIN_REF if q.get("rounding") == "reference" else kinds.AUTO
        self.i = litert.Interpreter(model_path=q["model"], num_threads=q["threads"], experimental_op_resolver_type=kind)
        signatures = self.i.get_signature_list()
        key = q.get("signature") or ("serving_default" if "serving_default" in signatures else next(iter(signatures), None))
        inputs, outputs = self.i.get_input_details(), self.i.get_output_details()
        self.inputs = {d["name"]: d for d in inputs}
        self.outputs = {d["name"]: d for d in outputs}
        if key is not None:
            r = self.i.get_signature_runner(key)
            self.inputs, self.outputs = dict(r.get_input_details()), dict(r.get_output_details())
        self.sizes = None
    def prepare(self, feed):
        at = list(zip(feed.items(), ordered(self.inputs, feed)))
        sizes = [x.shape for x in feed.values()]
        if sizes != self.sizes:
            for (_, x), d in at:
                if tuple(d["shape"]) != x.shape:
                    self.i.resize_tensor_input(d["index"], x.shape)
            self.i.allocate_tensors()
            self.sizes = sizes
        return [(d["index"], x) for (_, x), d in at]
    def call(self, given):
        for index, x in given:
            self.i.set_tensor(index, x)
        self.i.invoke()
        return {name: self.i.get_tensor(d["index"]) for name, d in self.outputs.items()}

class Flow:
    def __init__(self, q):
        tf.config.threading.set_intra_op_parallelism_threads(q["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(1)
        path = q["model"]
        if q["format"] == "keras":
            self.kept = tf.keras.models.load_model(path, compile=False)
            model = self.kept
            self.inputs = {t.name.split(":")[0]: t for t in model.inputs}
            # A .h5 does not keep the names of outputs: the layers have them.
            names = list(model.output_names) if hasattr(model, "output_names") else []
            flat = tf.function(lambda *xs: model(list(xs) if len(xs) > 1 else xs[0], training=False))
            def run(*xs):
                y = flat(*xs)
                y = list(y.values()) if isinstance(y, dict) else list(y) if isinstance(y, (list, tuple)) else [y]
                return {names[i] if i < len(names) else str(i): t for i, t in enumerate(y)}
            self.run = run
        elif os.path.isdir(path):
            self.kept = tf.saved_model.load(path)
            signatures = self.kept.signatures
            f = signatures[q.get("signature") or ("serving_default" if "serving_default" in signatures else next(iter(signatures)))]
            self.inputs = f.structured_input_signature[1]
            names = list(self.inputs)
            self.run = lambda *xs: f(**dict(zip(names, xs)))
        else:
            graph = tf.compat.v1.GraphDef()
            with open(path, "rb") as b:
                graph.ParseFromString(b.read())
            ends = lambda names: [n if ":" in n else n + ":0" for n in names]
            whole = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name=""), [])
            f = whole.prune(ends(q["inputs"]), ends(q["outputs"]))
            self.inputs = {n: None for n in q["inputs"]}
            self.run = lambda *xs: dict(zip(q["outputs"], f(*xs)))
    def prepare(self, feed):
        names, given = list(self.inputs), list(feed)
        order = names if set(names) == set(given) else given
        return [tf.constant(feed[n]) for n in order]
    def call(self, given):
        return {name: t.numpy() for name, t in self.run(*given).items()}

def ordered(known, feed):
    """By name where all names are known, else by place."""
    if set(known) == set(feed):
        return [known[n] for n in feed]
    return list(known.values())
def read(ports, feeds):
    all = {p["name"]: np.fromfile(p["file"], p["type"]).reshape([feeds] + p["dims"]) for p in ports}
    return [{n: x[i] for n, x in all.items()} for i in range(feeds)]

q = json.loads(sys.argv[3])
open_model = lambda: (Lite if framework == "litert" else Flow)(q)
if action == "cold-start":
    feed = read(json.load(open(sys.argv[4])), 1)[0]
    m = open_model()
    m.call(m.prepare(feed))
    say({"ms": (time.perf_counter() - start) * 1e3, "rss": peak()})
    sys.exit()
try:
    m = open_model()
    say({})
except Exception as e:
    say({"why": str(e) or type(e).__name__})
    sys.exit()
feeds, at = [], 0
for line in sys.stdin:
    ask = json.loads(line)
    try:
        if "feeds" in ask:
            feeds, at = [m.prepare(f) for f in read(ask["inputs"], ask["feeds"])], 0
            say({})
        elif "calls" in ask:
            begin = time.perf_counter()
            for _ in range(ask["calls"]):
                m.call(feeds[at % len(feeds)])
                at += 1
            say({"ms": (time.perf_counter() - begin) * 1e3})
        else:
            outputs = []
            with open(ask["answer"], "wb") as b:
                for name, y in m.call(feeds[0]).items():
                    y = np.asarray(y)
                    outputs.append({"name": name, "type": y.dtype.name, "dims": list(y.shape)})
                    b.write(np.ascontiguousarray(y).tobytes())
            say({"outputs": outputs})
    except Exception as e:
        say({"why": str(e) or type(e).__name__})
