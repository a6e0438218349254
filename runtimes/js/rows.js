// The part of a bundle's index.js that models of rows of features have besides: rows as people have them become one array.
/** For an input whose columns are called so: gives what the loader takes, a typed array or { data, dims }. */
// oxlint-disable-next-line no-unused-vars -- the description of the model uses it
function rowsOf(names) {
  const width = names.length;
  const at = new Map(names.map((name, i) => [name, i]));
  const few = list => list.slice(0, 12).join(', ') + (list.length > 12 ? ', …' : '');
  const wanted = `${width} ${width === 1 ? 'feature' : 'features'} (${few(names)})`;
  const isList = x => Array.isArray(x) || ArrayBuffer.isView(x);
  /** Edit distance. */
  const distance = (a, b) => {
    let last = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 0; i < a.length; i++) {
      const row = [i + 1];
      for (let j = 0; j < b.length; j++) row.push(Math.min(last[j] + (a[i] !== b[j]), row[j] + 1, last[j + 1] + 1));
      last = row;
    }
    return last[b.length];
  };
  const near = key => {
    const short = String(key).slice(0, 64).toLowerCase();
    return names
      .slice(0, 10000)
      .map(name => [distance(short, name.slice(0, 64).toLowerCase()), name])
      .sort((a, b) => a[0] - b[0])
      .slice(0, 3)
      .map(x => x[1])
      .join(', ');
  };
  return (p, given, bad) => {
    const number = (v, row, i) => {
      if (typeof v === 'number') return v;
      if (v === undefined || v === null) return NaN;
      if (typeof v === 'boolean' || typeof v === 'bigint') return Number(v);
      const what = typeof v === 'string' ? JSON.stringify(v.slice(0, 40)) : isList(v) ? 'a list' : `of type ${typeof v}`;
      throw bad(p, `row ${row}, ${names[i]}, is ${what} and no number; leave out what is missing, or pass null or NaN`);
    };
    /** Numbers one after another: whole rows. */
    const flat = list => {
      if (list.length % width) throw bad(p, `has ${list.length} values, which is no whole number of rows of ${wanted}`);
      if (!Array.isArray(list)) return list;
      const data = new p.array(list.length);
      for (let i = 0; i < data.length; i++) data[i] = number(list[i], Math.floor(i / width), i % width);
      return data;
    };
    if (ArrayBuffer.isView(given)) return flat(given);
    if (isList(given.data)) {
      const { data, dims } = given;
      if (data === p.view) return given;
      if (dims?.length === 2 && Number(dims[1]) !== width) throw bad(p, `has rows of ${dims[1]} columns instead of ${wanted}`);
      return { data: flat(data), dims };
    }
    if (typeof given !== 'object') return given;
    if (Array.isArray(given) && !given.some(r => typeof r === 'object' && r !== null)) return flat(given);
    const rows = Array.isArray(given) ? given : [given];
    const data = new p.array(rows.length * width).fill(NaN);
    rows.forEach((row, r) => {
      const from = r * width;
      if (isList(row)) {
        if (row.length !== width) throw bad(p, `row ${r} has ${row.length} columns instead of ${wanted}`);
        for (let i = 0; i < width; i++) data[from + i] = number(row[i], r, i);
      } else if (typeof row !== 'object' || row === null) throw bad(p, `row ${r} is neither a list of numbers nor an object`);
      else
        for (const key in row) {
          const i = at.get(key);
          if (i === undefined) throw bad(p, `row ${r} has '${key}', which is no feature; the nearest names are ${near(key)}`);
          data[from + i] = number(row[key], r, i);
        }
    });
    return { data, dims: [rows.length, width] };
  };
}
