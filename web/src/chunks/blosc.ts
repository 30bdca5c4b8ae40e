import { decompress as zstd } from "fzstd";
import { inflate } from "./deflate";
import { lz4Block, repeat } from "./lz4";
import { unshuffle, unshuffleBits } from "./shuffle";

const BYTES = 1;
const COPIED = 2;
const BITS = 4;
const WHOLE = 16;
const CODECS = ["blosclz", "lz4", "snappy", "zlib", "zstd"];
const MOST_SPLITS = 16;
const LEAST_SPLIT = 128;

/** Undo the HDF5 filter Blosc (32001), as the header of version 1 and 2 of the format says. */
export async function blosc(source: Uint8Array): Promise<Uint8Array> {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const flags = source[2]!;
  const width = source[3]!;
  const size = view.getUint32(4, true);
  const block = view.getUint32(8, true);
  if (flags & COPIED) return source.slice(16, 16 + size);
  const codec = CODECS[flags >> 5] ?? "unknown";
  const target = new Uint8Array(size);
  const splits = !(flags & WHOLE) && width <= MOST_SPLITS && block / width >= LEAST_SPLIT ? width : 1;
  const buffer = new Uint8Array(block);
  for (let start = 0, number = 0; start < size; start += block, number++) {
    const out = target.subarray(start, Math.min(start + block, size));
    const last = out.length < block;
    const shuffled = (flags & BYTES && width > 1) || flags & BITS;
    const into = shuffled ? buffer.subarray(0, out.length) : out;
    let from = view.getUint32(16 + 4 * number, true);
    const parts = last ? 1 : splits;
    const length = out.length / parts;
    for (let part = 0; part < parts; part++) {
      const stored = view.getUint32(from, true);
      from += 4;
      const taken = source.subarray(from, from + stored);
      const place = into.subarray(part * length, (part + 1) * length);
      if (stored === length) place.set(taken);
      else await undo(codec, taken, place);
      from += stored;
    }
    if (!shuffled) continue;
    if (flags & BYTES) unshuffle(into, width, out);
    else bits(into, width, out);
  }
  return target;
}

/** Undo the bit shuffle of a block; one whose elements do not come in eights was left as it is. */
function bits(source: Uint8Array, width: number, target: Uint8Array): void {
  if (source.length % (8 * width) === 0) unshuffleBits(source, width, target);
  else target.set(source);
}

async function undo(codec: string, source: Uint8Array, target: Uint8Array): Promise<void> {
  if (codec === "lz4") lz4Block(source, target);
  else if (codec === "blosclz") blosclz(source, target);
  else if (codec === "zlib") target.set(await inflate(source));
  else if (codec === "zstd") target.set(zstd(source));
  else throw new Error(`Blosc: codec ${codec} is unknown here`);
}

/** Undo one block of BloscLZ, which is FastLZ's second level. */
function blosclz(source: Uint8Array, target: Uint8Array): void {
  let from = 0;
  let to = 0;
  let control = source[from++]! & 31;
  for (;;) {
    if (control >= 32) {
      let length = (control >> 5) - 1;
      let back = (control & 31) << 8;
      if (length === 6) {
        let more: number;
        do {
          more = source[from++]!;
          length += more;
        } while (more === 255);
      }
      const code = source[from++]!;
      length += 3;
      if (code === 255 && back === 31 << 8) {
        back = (source[from]! << 8) + source[from + 1]! + 8191;
        from += 2;
      } else {
        back += code;
      }
      back += 1;
      if (back > to || to + length > target.length) throw new Error("BloscLZ: a match outside of the block");
      to = repeat(target, to, back, length);
    } else {
      const count = control + 1;
      if (to + count > target.length) throw new Error("BloscLZ: literals beyond the end");
      target.set(source.subarray(from, from + count), to);
      from += count;
      to += count;
    }
    if (from >= source.length) break;
    control = source[from++]!;
  }
  if (to !== target.length) throw new Error("BloscLZ: the block is too short");
}
