// The part of a bundle's index.js that models have whose inputs or outputs are texts: the model has their places in a list.
/** `known`: the texts that the model knows, by their places. What else a run is given has the places behind them, until the next run. */
// oxlint-disable-next-line no-unused-vars -- the description of the model uses it
function textsOf(known) {
  const places = new Map(known.map((text, i) => [text, i]));
  let others = new Map();
  return {
    /** What the loader takes for an input; the first one of a run begins it. */
    from: first => (p, given, bad) => {
      if (first) others = new Map();
      const { data, dims } = Array.isArray(given) ? { data: given } : given;
      if (data === p.view) return given;
      if (!Array.isArray(data)) throw bad(p, 'pass a list of strings, the last dimension fastest');
      const ids = new p.array(data.length);
      data.forEach((text, i) => {
        if (typeof text !== 'string') throw bad(p, `value ${i} is ${text === null ? 'null' : typeof text} and no string`);
        let place = places.get(text) ?? others.get(text);
        if (place === undefined) others.set(text, (place = known.length + others.size));
        ids[i] = place;
      });
      return dims ? { data: ids, dims } : ids;
    },
    /** The texts at places that the model gave. */
    to: (p, places) => {
      const all = [...known, ...others.keys()];
      return { data: Array.from(places, i => all[i]), dims: p.d.slice(), type: p.type };
    },
  };
}
