import type { Tensor } from '../../core/tensor.ts';
import { textsAttribute, type H5Node } from './hdf5/index.ts';

/** Where the variables of a layer and of the layers inside of it are found. */
export interface Weights {
  /** In words, for messages. */
  readonly where: string;
  /** A variable: by its name, or, in files that have no names, by its place among those that the layer makes. */
  variable(name: string, place: number): Tensor | undefined;
  /**
   * The variables of something inside. `attribute`: what Keras calls it in the layer; `name`: its own name, or how that begins. Where
   * several things inside have variables of one name, `place` counts them.
   */
  child(attribute: string, name: string | RegExp, place?: number): Weights;
  /** Names of what is there, for messages. */
  names(): readonly string[];
}
/** No variables at all. */
export const noWeights: Weights = { where: 'nothing', variable: () => undefined, child: () => noWeights, names: () => [] };

/** How Keras writes the classes of layers as paths (keras/src/utils/naming.py). */
export const snakeCase = (cls: string): string =>
  cls
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();

/** Variables as .keras has them: groups by attribute, arrays by number. */
export function weightsByPlace(root: H5Node): Weights {
  const named = new Map<string, H5Node>();
  let searched = false;
  // A layer that is used twice is written where it is met first; its name tells it.
  const byName = (name: string): H5Node | undefined => {
    if (!searched) collect(root, named);
    searched = true;
    return named.get(name);
  };
  const at = (n: H5Node | undefined, path: string): Weights => {
    const vars = n?.at('vars');
    return {
      where: path,
      variable: (_, place) => vars?.at(String(place))?.tensor(),
      child: (attribute, name) => {
        const below = `${path}/${attribute}`;
        // Keras 2 wrote attributes of its own with their underscore.
        const found = n?.at(attribute) ?? n?.at(`_${attribute}`);
        return at(found ?? (typeof name === 'string' ? byName(name) : undefined), below);
      },
      names: () => vars?.names ?? [],
    };
  };
  return at(root, '');
}
/** Groups by the name of their layer, the first of each. Walked without recursion. */
function collect(root: H5Node, out: Map<string, H5Node>): void {
  const todo = [root];
  for (let n = todo.shift(); n; n = todo.shift()) {
    const name = n.at('vars')?.attribute('name');
    if (typeof name === 'string' && !out.has(name) && (n.at('vars')?.names.length ?? 0) > 0) out.set(name, n);
    for (const key of n.names) {
      const child = key === 'vars' ? undefined : n.at(key);
      if (child) todo.push(child);
    }
  }
}

/** A variable of a file that has names. */
interface NamedWeight {
  /** Its name, cut at slashes: `lstm`, `lstm_cell`, `kernel`. */
  readonly parts: readonly string[];
  tensor(): Tensor | undefined;
}
export const namedWeight = (name: string, tensor: () => Tensor | undefined): NamedWeight => ({ parts: name.split('/'), tensor });

/** What Keras 1 called variables, behind the name of their layer. */
const OLD_NAMES: Readonly<Record<string, readonly string[]>> = {
  kernel: ['W'],
  embeddings: ['W'],
  bias: ['b'],
  recurrent_kernel: ['U'],
  moving_mean: ['running_mean'],
  moving_variance: ['running_std'],
  depthwise_kernel: ['depthwise_kernel'],
  pointwise_kernel: ['pointwise_kernel'],
  alpha: ['alphas'],
};
/** Whether the last part of a name is that of a variable: TensorFlow 1 adds `:0`, and numbers to names that come again. */
function isCalled(last: string, name: string): boolean {
  const bare = last.replace(/:\d+$/, '');
  if (bare === name || (bare.startsWith(`${name}_`) && /^\d+$/.test(bare.slice(name.length + 1)))) return true;
  return [name, ...(OLD_NAMES[name] ?? [])].some(old => bare.endsWith(`_${old}`) && bare.length > old.length + 1 && old !== bare);
}
/** Variables by their names. `share`: of those that have one name, this is the n-th. */
function weightsByName(list: readonly NamedWeight[], where: string, share = 0): Weights {
  return {
    where,
    variable: name => {
      const exact = list.filter(w => (w.parts.at(-1) ?? '').replace(/:\d+$/, '') === name);
      const found = exact.length > 0 ? exact : list.filter(w => isCalled(w.parts.at(-1) ?? '', name));
      return found[found.length > 1 ? share : 0]?.tensor();
    },
    child: (_, name, place = 0) => {
      const is = typeof name === 'string' ? (p: string): boolean => p === name : (p: string): boolean => name.test(p);
      const inside = list.filter(w => w.parts.slice(0, -1).some(is));
      const below = `${where}/${typeof name === 'string' ? name : name.source}`;
      return inside.length > 0 ? weightsByName(inside, below) : weightsByName(list, where, share + place);
    },
    names: () => list.map(w => w.parts.join('/')),
  };
}
/** The groups of layers in a .h5, each with its variables. */
export function weightsOfH5(root: H5Node): Weights {
  const layers = textsAttribute(root, 'layer_names') ?? root.names;
  const groups = new Map<string, readonly NamedWeight[]>();
  for (const layer of layers) {
    const group = root.at(layer);
    const names = group ? textsAttribute(group, 'weight_names') : undefined;
    if (!group || !names) continue;
    groups.set(
      layer,
      names.map(n => namedWeight(n, () => (group.at(n) ?? root.at(n))?.tensor())),
    );
  }
  const none: readonly NamedWeight[] = [];
  return {
    where: root.path,
    variable: () => undefined,
    child: (_, name) =>
      weightsByName(typeof name === 'string' ? (groups.get(name) ?? none) : none, `${root.path}/${String(name)}`),
    names: () => [...groups.keys()],
  };
}
/** All variables of a model in one list: those of a layer have its name among their parts. */
export function weightsOfList(list: readonly NamedWeight[], where: string): Weights {
  const byPart = new Map<string, NamedWeight[]>();
  for (const w of list)
    for (const p of new Set(w.parts.slice(0, -1))) {
      const had = byPart.get(p);
      if (had) had.push(w);
      else byPart.set(p, [w]);
    }
  return {
    where,
    variable: () => undefined,
    child: (_, name) => weightsByName(typeof name === 'string' ? (byPart.get(name) ?? []) : [], `${where}/${String(name)}`),
    names: () => list.map(w => w.parts.join('/')),
  };
}
