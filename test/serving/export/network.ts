import { compile, openBundle, writeBundle } from '../../../compiler/node.ts';
import { tinyNetworks } from '../../../fixtures/networks/network.ts';
import { networkTflite } from '../../../fixtures/networks/tflite.ts';

interface NetworkCase {
  readonly input: { readonly model: string; readonly tensor: object };
  /** What the bundle gives in this process. */
  readonly output: { readonly name: string; readonly dims: readonly number[]; readonly data: readonly number[] };
}
/** The smallest of MLPerf Tiny's networks as a bundle whose weights are a file of their own, and one run of it. */
export async function networkBundle(out: string): Promise<NetworkCase> {
  const network = tinyNetworks().find(n => n.input.length === 1);
  if (!network) throw new Error('there is no network of features');
  const { files } = await compile({
    model: networkTflite(network, 'float'),
    target: 'wasm-simd',
    name: 'network',
    embedBelow: 0,
  });
  writeBundle(out, files);
  const bundle = await openBundle(out);
  const [port] = bundle.manifest.inputs;
  if (!port) throw new Error('the network has no input');
  const shape = port.shape.map(d => (typeof d === 'number' ? d : 1));
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
  const [first] = Object.entries(bundle.run({ [port.name]: { data, dims: shape } }));
  if (!first) throw new Error('the network has no output');
  const [name, t] = first;
  return {
    input: { model: 'network', tensor: { name: port.name, datatype: 'FP32', shape, data: Array.from(data) } },
    output: { name, dims: t.dims, data: Array.from(t.data, Number) },
  };
}
