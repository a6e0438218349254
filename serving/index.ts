// The public API: instances, which serve models in processes of their own.
export {
  InstanceLost,
  startInstance,
  type Answer,
  type Call,
  type Contract,
  type Instance,
  type InstanceOptions,
  type ModelSpec,
} from './gateway/instance.ts';
