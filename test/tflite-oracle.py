"""What LiteRT makes of the models that test/tflite-cases.ts draws: run as `python test/tflite-oracle.py FOLDER`, which has NAME.tflite and
inputs.json; writes outputs.json there, with the integers of XNNPACK and of the reference kernels. Needs ai-edge-litert. Each model runs in a
process of its own, for some end it."""
import json, multiprocessing, os, sys
import numpy as np


def answers(path, inputs, out):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    for name, kind in (("xnnpack", OpResolverType.AUTO), ("reference", OpResolverType.BUILTIN_REF)):
        i = Interpreter(model_path=path, experimental_op_resolver_type=kind, num_threads=1)
        i.allocate_tensors()
        for d in i.get_input_details():
            i.set_tensor(d["index"], np.array(inputs[d["name"]], d["dtype"]).reshape(d["shape"]))
        i.invoke()
        out[name] = [int(v) for v in i.get_tensor(i.get_output_details()[0]["index"]).ravel()]


if __name__ == "__main__":
    folder = sys.argv[1]
    result = {}
    with multiprocessing.Manager() as manager:
        for name, inputs in json.load(open(os.path.join(folder, "inputs.json"))).items():
            out = manager.dict()
            p = multiprocessing.Process(target=answers, args=(os.path.join(folder, name + ".tflite"), inputs, out))
            p.start()
            p.join()
            if len(out) == 2:
                result[name] = dict(out)
    json.dump(result, open(os.path.join(folder, "outputs.json"), "w"))
