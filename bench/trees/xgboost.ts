import { MISSING_LEFT, type TreeTables } from '../../compiler/ops/trees/tables.ts';

/** The ensemble as XGBoost 2.1 saves a regression of squared errors (doc/model.schema of XGBoost). */
export function forestJson(t: TreeTables, features: number): string {
  const trees = Array.from(t.root, (root, id) => {
    const [left, right, parent, index, condition, missing]: number[][] = [[], [], [], [], [], []];
    const open: { code: number; parent: number }[] = [{ code: root, parent: 2 ** 31 - 1 }];
    // Breadth first: the children of a node are the next two numbers that are free.
    for (let i = 0; i < open.length; i++) {
      const { code, parent: from } = open[i] ?? { code: -1, parent: 0 };
      parent?.push(from);
      const leaf = code < 0;
      left?.push(leaf ? -1 : open.length);
      right?.push(leaf ? -1 : open.length + 1);
      index?.push(leaf ? 0 : (t.feature[code] ?? 0));
      condition?.push(leaf ? (t.values[-1 - code] ?? 0) : (t.threshold[code] ?? 0));
      missing?.push(leaf ? 0 : (t.flags[code] ?? 0) & MISSING_LEFT);
      if (!leaf) for (const child of [t.left[code], t.right[code]]) open.push({ code: child ?? -1, parent: i });
    }
    const zeros = open.map(() => 0);
    const none = floats(zeros);
    return {
      id,
      left_children: left,
      right_children: right,
      parents: parent,
      split_indices: index,
      split_conditions: floats(condition ?? []),
      default_left: missing,
      split_type: zeros,
      base_weights: none,
      loss_changes: none,
      sum_hessian: none,
      categories: [],
      categories_nodes: [],
      categories_segments: [],
      categories_sizes: [],
      tree_param: { num_deleted: '0', num_feature: String(features), num_nodes: String(open.length), size_leaf_vector: '1' },
    };
  });
  const text = JSON.stringify({
    learner: {
      attributes: {},
      feature_names: [],
      feature_types: [],
      gradient_booster: {
        model: {
          gbtree_model_param: { num_parallel_tree: '1', num_trees: String(trees.length) },
          iteration_indptr: Array.from({ length: trees.length + 1 }, (_, i) => i),
          tree_info: trees.map(() => 0),
          trees,
        },
        name: 'gbtree',
      },
      learner_model_param: {
        base_score: String(t.base[0] ?? 0),
        boost_from_average: '1',
        num_class: '0',
        num_feature: String(features),
        num_target: '1',
      },
      objective: { name: 'reg:squarederror', reg_loss_param: { scale_pos_weight: '1' } },
    },
    version: [2, 1, 0],
  });
  return text.replaceAll(/"floats(\[[^"]*\])"/g, '$1');
}
/** XGBoost's parser tells floats from integers by their spelling: a list in a string that is unwrapped at the end. */
const floats = (xs: readonly number[]): string =>
  `floats[${xs.map(x => (Number.isInteger(x) ? x.toFixed(1) : String(x))).join()}]`;
