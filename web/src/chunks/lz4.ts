/** Undo one block of LZ4 (LZ4 block format, 2022). */
export function lz4Block(source: Uint8Array, target: Uint8Array): void {
  let from = 0;
  let to = 0;
  while (from < source.length) {
    const token = source[from++]!;
    let length = token >> 4;
    if (length === 15) {
      let more: number;
      do {
        more = source[from++]!;
        length += more;
      } while (more === 255);
    }
    if (from + length > source.length || to + length > target.length) throw new Error("LZ4: literals beyond the end");
    target.set(source.subarray(from, from + length), to);
    from += length;
    to += length;
    if (from >= source.length) break;
    const back = source[from]! | (source[from + 1]! << 8);
    from += 2;
    let match = (token & 15) + 4;
    if (match === 19) {
      let more: number;
      do {
        more = source[from++]!;
        match += more;
      } while (more === 255);
    }
    if (back === 0 || back > to || to + match > target.length) throw new Error("LZ4: a match outside of the block");
    to = repeat(target, to, back, match);
  }
  if (to !== target.length) throw new Error("LZ4: the block is too short");
}

/** Copy bytes from so far back; they may reach into what is being written. */
export function repeat(target: Uint8Array, to: number, back: number, length: number): number {
  if (back >= length) {
    target.copyWithin(to, to - back, to - back + length);
    return to + length;
  }
  const end = to + length;
  for (let at = to; at < end; at++) target[at] = target[at - back]!;
  return end;
}

/** Undo the HDF5 filter LZ4 (32004): big-endian sizes, blocks that did not shrink as they are. */
export function lz4Filter(source: Uint8Array): Uint8Array {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const size = Number(view.getBigUint64(0));
  const block = view.getUint32(8);
  const target = new Uint8Array(size);
  let from = 12;
  for (let to = 0; to < size; to += block) {
    const stored = view.getUint32(from);
    from += 4;
    const part = target.subarray(to, Math.min(to + block, size));
    const taken = source.subarray(from, from + stored);
    if (stored === part.length) part.set(taken);
    else lz4Block(taken, part);
    from += stored;
  }
  return target;
}
