/** Undo the byte shuffle (HDF5 filter 2): bytes of the same significance lie together. */
export function unshuffle(source: Uint8Array, width: number, target = new Uint8Array(source.length)): Uint8Array {
  const count = Math.floor(source.length / width);
  for (let byte = 0; byte < width; byte++) {
    const plane = source.subarray(byte * count, (byte + 1) * count);
    for (let at = 0, to = byte; at < count; at++, to += width) target[to] = plane[at]!;
  }
  target.set(source.subarray(count * width), count * width);
  return target;
}

/**
 * Undo a bit shuffle of elements whose number is a multiple of 8 (Masui et al. 2015, Astronomy and Computing 12): row
 * `8 * byte + bit` holds that bit of every element, the first element in the lowest bit.
 */
export function unshuffleBits(source: Uint8Array, width: number, target: Uint8Array): void {
  const row = source.length / width / 8;
  for (let byte = 0; byte < width; byte++) {
    const first = byte * 8 * row;
    for (let group = 0; group < row; group++) {
      const at = first + group;
      let low = source[at]! | (source[at + row]! << 8) | (source[at + 2 * row]! << 16) | (source[at + 3 * row]! << 24);
      let high =
        source[at + 4 * row]! |
        (source[at + 5 * row]! << 8) |
        (source[at + 6 * row]! << 16) |
        (source[at + 7 * row]! << 24);
      // The transpose of 8 by 8 bits in three exchanges (Warren, Hacker's Delight, 7-3).
      let swap = (low ^ (low >>> 7)) & 0x00aa00aa;
      low ^= swap ^ (swap << 7);
      swap = (high ^ (high >>> 7)) & 0x00aa00aa;
      high ^= swap ^ (swap << 7);
      swap = (low ^ (low >>> 14)) & 0x0000cccc;
      low ^= swap ^ (swap << 14);
      swap = (high ^ (high >>> 14)) & 0x0000cccc;
      high ^= swap ^ (swap << 14);
      const left = (low & 0x0f0f0f0f) | ((high & 0x0f0f0f0f) << 4);
      const right = ((low >>> 4) & 0x0f0f0f0f) | (high & 0xf0f0f0f0);
      let to = group * 8 * width + byte;
      target[to] = left;
      target[(to += width)] = left >>> 8;
      target[(to += width)] = left >>> 16;
      target[(to += width)] = left >>> 24;
      target[(to += width)] = right;
      target[(to += width)] = right >>> 8;
      target[(to += width)] = right >>> 16;
      target[(to += width)] = right >>> 24;
    }
  }
}
