// Scalable targets and their policies, as they hang on an endpoint.
import type { Registry } from './registry.ts';

export const resourceId = (endpoint: string, variant: string): string => `endpoint/${endpoint}/variant/${variant}`;
/** The endpoint and variant of a resource id; undefined where it is not one. */
export function parseResource(id: string): { readonly endpoint: string; readonly variant: string } | undefined {
  const [, endpoint = '', variant = ''] = /^endpoint\/([^/]+)\/variant\/([^/]+)$/.exec(id) ?? [];
  return endpoint === '' ? undefined : { endpoint, variant };
}
export const policyKey = (resource: string, policy: string): string => `${resource}:${policy}`;

/** Deregisters a target with its policies and their alarms. */
export function dropTarget(r: Registry, resource: string): void {
  for (const [key, p] of [...r.policies.entries()])
    if (p.input.ResourceId === resource) {
      for (const a of p.alarms) r.alarms.delete(a);
      r.policies.delete(key);
    }
  r.activities.delete(resource);
  r.targets.delete(resource);
}
/** The targets of an endpoint go with it. */
export function dropTargets(r: Registry, endpoint: string): void {
  for (const [resource] of [...r.targets.entries()]) if (parseResource(resource)?.endpoint === endpoint) dropTarget(r, resource);
}
