"""What LiteRT makes of the models that test/tflite-cases.ts and test/tflite-runs.ts draw: run as `python test/tflite-oracle.py FOLDER`, which
has NAME.tflite and inputs.json; writes outputs.json there: of models of integers what XNNPACK and the reference kernels give, of models that
inputs.json has a list for what each of these runs gives, by names of outputs. Needs ai-edge-litert. Each model runs in a process of its own,
for some end it."""
import json, multiprocessing, os, sys
import numpy as np


def made(path, kind):
    from ai_edge_litert.interpreter import Interpreter

    i = Interpreter(model_path=path, experimental_op_resolver_type=kind, num_threads=1)
    i.allocate_tensors()
    return i


def run(i, inputs):
    for d in i.get_input_details():
        i.set_tensor(d["index"], np.array(inputs[d["name"]], d["dtype"]).reshape(d["shape"]))
    i.invoke()
    return {d["name"]: i.get_tensor(d["index"]) for d in i.get_output_details()}


def number(v):
    return float(np.format_float_positional(v, 7, fractional=False)) if isinstance(v, np.floating) else int(v)


def answers(path, inputs, out):
    from ai_edge_litert.interpreter import OpResolverType

    if isinstance(inputs, list):
        i = made(path, OpResolverType.AUTO)
        runs = [run(i, given) for given in inputs]
        out["runs"] = [{name: [number(v) for v in t.ravel()] for name, t in r.items()} for r in runs]
        return
    for name, kind in (("xnnpack", OpResolverType.AUTO), ("reference", OpResolverType.BUILTIN_REF)):
        first = next(iter(run(made(path, kind), inputs).values()))
        out[name] = [int(v) for v in first.ravel()]


if __name__ == "__main__":
    folder = sys.argv[1]
    result = {}
    with multiprocessing.Manager() as manager:
        for name, inputs in json.load(open(os.path.join(folder, "inputs.json"))).items():
            out = manager.dict()
            p = multiprocessing.Process(target=answers, args=(os.path.join(folder, name + ".tflite"), inputs, out))
            p.start()
            p.join()
            if len(out) == (1 if isinstance(inputs, list) else 2):
                result[name] = out["runs"] if "runs" in out else dict(out)
            else:
                print("no answer:", name, file=sys.stderr)
    json.dump(result, open(os.path.join(folder, "outputs.json"), "w"))
