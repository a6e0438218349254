"""A bundle of Sinter behind Triton's Python backend: https://github.com/triton-inference-server/python_backend"""
import importlib.util
import json
import os

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        here = os.path.join(args["model_repository"], args["model_version"])
        spec = importlib.util.spec_from_file_location("sinter_bundle", os.path.join(here, "bundle", "model.py"))
        self.bundle = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.bundle)
        config = json.loads(args["model_config"])
        self.inputs = [i["name"] for i in config["input"]]
        # Requests that Triton gives together are rows of one batch where the model has rows.
        self.joins = int(config.get("max_batch_size", 0)) > 0

    def execute(self, requests):
        groups = [requests] if self.joins and requests else [[r] for r in requests]
        return [response for group in groups for response in self.answer(group)]

    def answer(self, group):
        try:
            feeds = [{n: pb_utils.get_input_tensor_by_name(r, n).as_numpy() for n in self.inputs} for r in group]
            joined = feeds[0] if len(feeds) == 1 else {n: np.concatenate([f[n] for f in feeds]) for n in self.inputs}
            outputs = self.bundle.run(**joined)
        except Exception as e:
            # One bad request does not fail those that came with it.
            if len(group) > 1:
                return [response for r in group for response in self.answer([r])]
            return [pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(str(e)))]
        if len(group) == 1:
            return [self.response(group[0], outputs)]
        ends = np.cumsum([len(f[self.inputs[0]]) for f in feeds])
        parts = [np.split(v, ends[:-1]) for v in outputs.values()]
        return [self.response(r, dict(zip(outputs, part))) for r, part in zip(group, zip(*parts))]

    def response(self, request, outputs):
        wanted = request.requested_output_names()
        tensors = [pb_utils.Tensor(n, np.ascontiguousarray(v)) for n, v in outputs.items() if n in wanted]
        return pb_utils.InferenceResponse(output_tensors=tensors)
