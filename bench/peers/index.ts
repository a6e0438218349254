import { onnxruntime } from './onnxruntime.ts';
import type { PeerName } from '../engine/result.ts';
import type { Peer } from '../engine/runner.ts';
import { tensorflowPeers } from './tensorflow.ts';
import { xgboostPython } from './xgboost.ts';

/** The runtimes that Sinter is measured against. */
export const PEERS: Readonly<Record<PeerName, Peer>> = {
  'onnxruntime-web': onnxruntime('onnxruntime-web'),
  'onnxruntime-node': onnxruntime('onnxruntime-node'),
  ...tensorflowPeers,
  'xgboost-python': xgboostPython,
};
export const PEER_NAMES = Object.keys(PEERS) as PeerName[];
