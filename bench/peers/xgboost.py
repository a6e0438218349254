# XGBoost in Python, asked line by line: JSON comes in, JSON goes out. `inplace_predict` takes an array as it is, which is its fastest way.
# The first argument: `serve MODEL THREADS`; `about` tells version and files; `cold-start MODEL THREADS INPUTS` answers once and tells time and
# memory; `idle` does nothing.
import time
start = time.perf_counter()
import json, os, sys, resource
def say(x):
    sys.stdout.write(json.dumps(x) + "\n")
    sys.stdout.flush()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
if sys.argv[1] == "idle":
    say({"ms": 0, "rss": peak()})
    sys.exit()
import numpy as np
import xgboost
if sys.argv[1] == "about":
    lib = os.path.join(os.path.dirname(xgboost.__file__), "lib")
    say({"version": xgboost.__version__, "code": [os.path.join(lib, f) for f in sorted(os.listdir(lib))]})
    sys.exit()
def load():
    b = xgboost.Booster(model_file=sys.argv[2])
    b.set_param({"nthread": int(sys.argv[3])})
    return b
def rows(port, feeds):
    return np.fromfile(port["file"], np.float32).reshape([feeds] + port["dims"])
if sys.argv[1] == "cold-start":
    x = rows(json.load(open(sys.argv[4]))[0], 1)[0]
    load().inplace_predict(x)
    say({"ms": (time.perf_counter() - start) * 1e3, "rss": peak()})
    sys.exit()
booster = load()
say({})
feeds, at = [], 0
for line in sys.stdin:
    q = json.loads(line)
    if "feeds" in q:
        feeds, at = list(rows(q["inputs"][0], q["feeds"])), 0
        say({})
    elif "calls" in q:
        start = time.perf_counter()
        for _ in range(q["calls"]):
            booster.inplace_predict(feeds[at % len(feeds)])
            at += 1
        say({"ms": (time.perf_counter() - start) * 1e3})
    else:
        y = np.ascontiguousarray(booster.inplace_predict(feeds[0]), np.float32)
        y.tofile(q["answer"])
        say({"dims": list(y.shape)})
