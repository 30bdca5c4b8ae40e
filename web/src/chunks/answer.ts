import { type Filter, known, undo } from "./filters";

/** What the server says of the chunks that follow. */
export interface Head {
  shape: number[];
  dtype: string;
  chunk: number[];
  filters: Filter[];
  fill: number | boolean | null;
  chunks: { offset: number[]; bytes: number; skipped: number }[];
}

export type Values =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

const ARRAYS: Record<string, new (buffer: ArrayBuffer) => Values> = {
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
};

/** Along an axis: where to begin, how many, how far apart. */
interface Along {
  start: number;
  count: number;
  step: number;
}

/** Decode an answer of the server and cut the selection out of it, in C order. */
export async function decode(answer: ArrayBuffer, selection: string | undefined): Promise<Values> {
  const length = new DataView(answer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(answer, 4, length))) as Head;
  const kind = ARRAYS[head.dtype.slice(1)];
  if (kind === undefined || head.dtype[0] === ">") throw new Error(`type ${head.dtype} is unknown here`);
  if (!known(head.filters)) throw new Error("a filter is unknown here");
  const axes = alongAxes(selection, head.shape);
  const width = Number(head.dtype.slice(2));
  const target = new Uint8Array(width * axes.reduce((size, axis) => size * axis.count, 1));
  if (head.fill && head.chunks.some((chunk) => chunk.bytes === 0)) {
    const filled = new kind(target.buffer);
    if (filled instanceof BigInt64Array || filled instanceof BigUint64Array) filled.fill(BigInt(head.fill));
    else filled.fill(Number(head.fill));
  }
  let from = 4 + length;
  for (const chunk of head.chunks) {
    if (chunk.bytes > 0) {
      const stored = new Uint8Array(answer, from, chunk.bytes);
      place(await undo(stored, head.filters, chunk.skipped), chunk.offset, head.chunk, axes, width, target);
    }
    from += chunk.bytes;
  }
  return new kind(target.buffer);
}

/** Copy what a chunk has of a selection to where it belongs, the last axis in runs. */
function place(
  chunk: Uint8Array,
  offset: number[],
  edges: number[],
  axes: Along[],
  width: number,
  target: Uint8Array,
): void {
  const last = axes.length - 1;
  const along = axes.map((axis, at) => {
    const corner = offset[at]!;
    const first = Math.max(0, Math.ceil((corner - axis.start) / axis.step));
    const end = Math.min(axis.count, Math.ceil((corner + edges[at]! - axis.start) / axis.step));
    return { first, end, from: axis.start + first * axis.step - corner, step: axis.step };
  });
  if (along.some((axis) => axis.first >= axis.end)) return;
  const copy = (at: number, from: number, to: number): void => {
    const { first, end, from: inside, step } = along[at]!;
    if (at === last && step === 1) {
      const start = (from * edges[at]! + inside) * width;
      target.set(chunk.subarray(start, start + (end - first) * width), (to * axes[at]!.count + first) * width);
      return;
    }
    for (let index = first; index < end; index++) {
      const source = from * edges[at]! + inside + (index - first) * step;
      const place = to * axes[at]!.count + index;
      if (at === last) target.set(chunk.subarray(source * width, (source + 1) * width), place * width);
      else copy(at + 1, source, place);
    }
  };
  copy(0, 0, 0);
}

/** Read a selection as the server does: numbers and slices, axes that are not named whole. */
function alongAxes(selection: string | undefined, shape: number[]): Along[] {
  const members = selection ? selection.split(",") : [];
  return shape.map((length, at) => {
    const member = members[at]?.trim();
    if (!member) return { start: 0, count: length, step: 1 };
    if (!member.includes(":")) return { start: wrapped(Number(member), length), count: 1, step: 1 };
    const [start, stop, step] = member.split(":").map((part) => (part.trim() ? Number(part) : undefined));
    const from = clipped(start ?? 0, length);
    const to = clipped(stop ?? length, length);
    return { start: from, count: Math.max(0, Math.ceil((to - from) / (step ?? 1))), step: step ?? 1 };
  });
}

const wrapped = (index: number, length: number): number => (index < 0 ? index + length : index);
const clipped = (index: number, length: number): number => Math.min(length, Math.max(0, wrapped(index, length)));
