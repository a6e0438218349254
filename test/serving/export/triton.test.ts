/** config.pbtxt read by Triton's own message, and its model.py run as the Python backend does it. */
import { afterAll, describe, expect } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from '../../../fixtures/paths.ts';
import { fetched, modules, needs } from '../../needs.ts';
import { compileBike, predictions, rows, sinterExport, workFolder } from './bundles.ts';

const { dir, remove } = workFolder();
afterAll(remove);
const triton = join(cacheDir, 'triton');

/** Reads config.pbtxt, then gives execute() what the backend gives it: requests alone, several together, a bad one among them. */
const DRIVER = `
import json, sys, types
import numpy as np
sys.path[:0] = [sys.argv[1]]
from google.protobuf import json_format, text_format
import model_config_pb2
folder, rows = sys.argv[2], json.load(open(sys.argv[3]))
config = text_format.Parse(open(folder + "/config.pbtxt").read(), model_config_pb2.ModelConfig())
as_json = json_format.MessageToDict(config, preserving_proto_field_name=True)

class Tensor:
    def __init__(self, name, array): self.name, self.array = name, array
    def as_numpy(self): return self.array
class Request:
    def __init__(self, *tensors): self.tensors = tensors
    def requested_output_names(self): return [o["name"] for o in as_json["output"]]
class Response:
    def __init__(self, output_tensors, error=None): self.output_tensors, self.error = output_tensors, error
pb = types.ModuleType("triton_python_backend_utils")
pb.Tensor, pb.InferenceResponse, pb.TritonError = Tensor, Response, str
pb.get_input_tensor_by_name = lambda request, name: next(t for t in request.tensors if t.name == name)
sys.modules["triton_python_backend_utils"] = pb
namespace = {"__name__": "model"}
exec(compile(open(folder + "/1/model.py").read(), "model.py", "exec"), namespace)
model = namespace["TritonPythonModel"]()
model.initialize({"model_repository": folder, "model_version": "1", "model_config": json.dumps(as_json)})
ask = lambda a: Request(Tensor("features", np.array(a, np.float32)))
show = lambda r: r.error if r.error else r.output_tensors[0].as_numpy().tolist()
one = [show(r) for r in model.execute([ask(rows)])]
together = [show(r) for r in model.execute([ask(rows[:2]), ask(rows[2:3]), ask(rows[3:])])]
bad = [show(r) for r in model.execute([ask(rows[:1]), Request(Tensor("features", np.zeros((1, 12), np.float32))), ask(rows[1:2])])]
print(json.dumps({"config": as_json, "one": one, "together": together, "bad": bad}))
`;
interface Answer {
  readonly config: object;
  readonly one: readonly (readonly number[])[];
  readonly together: readonly (readonly number[])[];
  readonly bad: readonly [readonly number[], string, readonly number[]];
}

describe('triton', () => {
  needs('cc', 'make', modules('numpy'), fetched('triton', join(triton, 'model_config_pb2.py'))).it(
    'reads the configuration, and its backend runs the bundle',
    async () => {
      const bundle = join(dir, 'bike');
      await compileBike(bundle, 'linux-x64-v2');
      execFileSync('make', ['libmodel.so'], { cwd: bundle, stdio: 'ignore' });
      const out = join(dir, 'triton');
      expect(await sinterExport('triton', bundle, '--out', out, '--cpus', '2')).toMatchObject({ code: 0, err: '' });
      writeFileSync(join(dir, 'rows.json'), `[${rows.map(r => `[${r.replace(/(^|,)(?=,|$)/g, '$1NaN')}]`).join(',')}]`);
      writeFileSync(join(dir, 'driver.py'), DRIVER);
      const argv = [join(dir, 'driver.py'), triton, join(out, 'repository/bike'), join(dir, 'rows.json')];
      const said = execFileSync('python3', argv, { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
      const a = JSON.parse(said.toString()) as Answer;
      expect(a.config).toEqual({
        name: 'bike',
        backend: 'python',
        max_batch_size: 10000,
        input: [{ name: 'features', data_type: 'TYPE_FP32', dims: ['13'] }],
        output: [{ name: 'prediction', data_type: 'TYPE_FP32', dims: ['1'], reshape: {} }],
        instance_group: [{ count: 2, kind: 'KIND_CPU' }],
        dynamic_batching: {},
      });
      const expected = predictions.map(Math.fround);
      expect(a.one[0]?.map(Math.fround)).toEqual(expected);
      expect(a.together.map(t => t.length)).toEqual([2, 1, rows.length - 3]);
      expect(a.together.flat().map(Math.fround)).toEqual(expected);
      expect(a.bad[0].map(Math.fround)).toEqual(expected.slice(0, 1));
      expect(a.bad[1]).toMatch(/\(1, 12\)/);
      expect(a.bad[2].map(Math.fround)).toEqual(expected.slice(1, 2));
      expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain('batch of at most 10000 rows');
    },
  );
});
