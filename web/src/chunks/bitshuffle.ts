import { decompress as zstd } from "fzstd";
import { lz4Block } from "./lz4";
import { unshuffleBits } from "./shuffle";

const LZ4 = 2;
const ZSTD = 3;

/** Undo the HDF5 filter bitshuffle (32008): options are version, version, bytes an element, elements a block, codec. */
export function bitshuffle(source: Uint8Array, options: number[]): Uint8Array {
  const width = options[2]!;
  const codec = options[4] ?? 0;
  if (codec === 0) return shuffledOnly(source, width, options[3] || defaultBlock(width));
  if (codec !== LZ4 && codec !== ZSTD) throw new Error(`bitshuffle: codec ${codec} is unknown here`);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const size = Number(view.getBigUint64(0));
  const block = view.getUint32(8);
  const target = new Uint8Array(size);
  const shuffled = new Uint8Array(block);
  let from = 12;
  for (const [start, end] of blocks(size, width, block)) {
    const stored = view.getUint32(from);
    from += 4;
    const taken = source.subarray(from, from + stored);
    const part = shuffled.subarray(0, end - start);
    if (codec === LZ4) lz4Block(taken, part);
    else part.set(zstd(taken));
    unshuffleBits(part, width, target.subarray(start, end));
    from += stored;
  }
  const rest = size % (8 * width);
  target.set(source.subarray(from, from + rest), size - rest);
  return target;
}

function shuffledOnly(source: Uint8Array, width: number, elements: number): Uint8Array {
  const target = new Uint8Array(source);
  for (const [start, end] of blocks(source.length, width, elements * width)) {
    unshuffleBits(source.subarray(start, end), width, target.subarray(start, end));
  }
  return target;
}

/** Give the blocks in bytes: whole ones, then what is left as far as its elements come in eights. */
function* blocks(size: number, width: number, block: number): Generator<[number, number]> {
  let start = 0;
  for (; start + block <= size; start += block) yield [start, start + block];
  const left = size - start;
  const even = left - (left % (8 * width));
  if (even > 0) yield [start, start + even];
}

function defaultBlock(width: number): number {
  const elements = Math.floor(8192 / width);
  return Math.max(128, elements - (elements % 8));
}
