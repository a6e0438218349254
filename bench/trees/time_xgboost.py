"""Times XGBoost's own predictor on one thread: python time_xgboost.py MODEL.json ROWS.f32 FEATURES BATCH... prints milliseconds by batch as JSON.

Rows are new in every call; inplace_predict takes the array as it is, its fastest way. The first line tells the version and the answers of the
first rows, for comparison.
"""

import json
import sys
import time

import numpy as np
import xgboost

model, rows, features = sys.argv[1], sys.argv[2], int(sys.argv[3])
booster = xgboost.Booster({"nthread": 1}, model_file=model)
booster.set_param({"nthread": 1})
pool = np.fromfile(rows, np.float32).reshape(-1, features)
times = {}
for batch in map(int, sys.argv[4:]):
    parts = [pool[i : i + batch] for i in range(0, len(pool) - batch + 1, batch)][:2048]
    best, end, i = float("inf"), time.perf_counter() + 2, 0
    while time.perf_counter() < end or i < 3:
        x = parts[i % len(parts)]
        start = time.perf_counter()
        booster.inplace_predict(x)
        best = min(best, time.perf_counter() - start)
        i += 1
    times[batch] = best * 1e3
first = booster.inplace_predict(pool[:100]).astype(float).tolist()
print(json.dumps({"version": xgboost.__version__, "times": times, "first": first}))
