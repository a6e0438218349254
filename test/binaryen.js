// What tests get for `binaryen`: the one that their environment has loaded.
export default (await globalThis.binaryenOfAll()).default;
