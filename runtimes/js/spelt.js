// The part of a bundle's index.js that models have which look into texts: the model has their bytes, along a last axis more.
/* oxlint-disable no-unused-vars -- the description of the model uses them */
const SPELT = {
  /** What the loader takes for an input: bytes of UTF-8, zeros behind the end of each text. */
  from: (p, given, bad) => {
    const { data, dims } = Array.isArray(given) ? { data: given } : given;
    if (data === p.view) return given;
    if (!Array.isArray(data)) throw bad(p, 'pass a list of strings, the last dimension fastest');
    const encoder = new TextEncoder();
    let width = 1;
    const texts = data.map((text, i) => {
      if (typeof text !== 'string') throw bad(p, `value ${i} is ${text === null ? 'null' : typeof text} and no string`);
      const bytes = encoder.encode(text);
      width = Math.max(width, bytes.length);
      return bytes;
    });
    const sizes = p.shape.slice(0, -1);
    const free = sizes.flatMap((n, i) => (typeof n === 'string' ? [i] : []));
    if (!dims && free.length > 1) throw bad(p, 'pass { data, dims }, as the length leaves its shape open');
    const most = p.shape.at(-1);
    if (typeof most === 'number' && width <= most) width = most;
    if (texts.length * width > p.size) throw bad(p, `has ${texts.length} strings of up to ${width} bytes`);
    const bytes = new Uint8Array(texts.length * width);
    texts.forEach((text, i) => bytes.set(text, i * width));
    const rest = sizes.reduce((n, d) => (typeof d === 'string' ? n : n * d), 1);
    return { data: bytes, dims: [...(dims ?? sizes.map((n, i) => (free[0] === i ? texts.length / rest : n))), width] };
  },
  /** The texts that an output holds. */
  to: (p, bytes) => {
    const dims = p.d.slice(0, -1);
    const width = p.d.at(-1);
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const count = dims.reduce((n, d) => n * d, 1);
    const data = Array.from({ length: count }, (_, i) => {
      const text = bytes.slice(i * width, (i + 1) * width);
      let end = width;
      while (end > 0 && text[end - 1] === 0) end--;
      return decoder.decode(text.subarray(0, end));
    });
    return { data, dims, type: p.type };
  },
};
