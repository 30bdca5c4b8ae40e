/** Frames that are larger than one answer may be: read in pieces, or averaged down where even these are too many. */
import type { Fetcher, FetcherOptions } from "@h5web/app";
import { Frames, type Storage } from "./chunks/source";
import type { Notes } from "./notes";

/** What is known of a dataset of numbers. */
export interface Stored extends Storage {
  /** The type that values come in as, with dtype=safe. */
  array: "Int8Array" | "Int16Array" | "Int32Array" | "Uint8Array" | "Uint16Array" | "Uint32Array" | "Float32Array" | "Float64Array";
}

const ARRAYS = { Int8Array, Int16Array, Int32Array, Uint8Array, Uint16Array, Uint32Array, Float32Array, Float64Array };
const MOST_AT_ONCE = 8_000_000;
const MOST_IN_PIECES = 48_000_000;
const LONGEST_EDGE = "1024";
const LEAST_BY_CHUNKS = 250_000;
const frames = new Frames();

interface Type {
  class: number;
  size: number;
  sign?: number;
}

/** Name the type that values of an HDF5 type come in as; undefined for those that are read otherwise. */
export function stored(told: Partial<Storage> & { type?: Type }): Stored | undefined {
  const { shape, type, chunks, filters } = told;
  if (!shape || !type) return undefined;
  const kept = { shape, chunks, filters };
  if (type.class === 1) return { ...kept, array: type.size <= 4 ? "Float32Array" : "Float64Array" };
  if (type.class !== 0 || type.size > 4) return undefined;
  return { ...kept, array: `${type.sign === 0 ? "Uint" : "Int"}${type.size * 8}Array` as Stored["array"] };
}

/** Read values that may be too many for one answer. */
export async function values(
  ask: Fetcher,
  url: string,
  params: Record<string, string>,
  known: Stored,
  notes: Notes,
  options?: FetcherOptions,
): Promise<ArrayBuffer> {
  const { BYTES_PER_ELEMENT: width } = ARRAYS[known.array];
  const chosen = params.selection ? params.selection.split(",") : known.shape.map(() => ":");
  const free = chosen.flatMap((part, axis) => (part.trim() === ":" ? [axis] : []));
  const whole = chosen.every((part) => /^\s*(:|\d+)\s*$/.test(part));
  const size = free.reduce((product, axis) => product * (known.shape[axis] ?? 1), width);
  if (!whole || free.length !== 2) return ask(url, params, options);
  if (size >= LEAST_BY_CHUNKS) {
    const route = url.replace(/\/data$/, "/chunks");
    const path = params.path ?? "/";
    const found = await frames.values(route, path, chosen, known, known.array, size, options?.abortSignal);
    if (found) return found;
  }
  if (size <= MOST_AT_ONCE) return ask(url, params, options);
  const rows = known.shape[free[0] ?? 0] ?? 1;
  const columns = known.shape[free[1] ?? 0] ?? 1;
  const signal = options?.abortSignal ? { abortSignal: options.abortSignal } : undefined;

  if (size <= MOST_IN_PIECES && columns * width <= MOST_AT_ONCE) {
    const step = Math.max(1, Math.floor(MOST_AT_ONCE / (columns * width)));
    const all = new Uint8Array(size);
    for (let row = 0; row < rows; row += step) {
      const part = chosen.with(free[0] ?? 0, `${row}:${Math.min(row + step, rows)}`);
      const piece = await ask(url, { ...params, selection: part.join(",") }, signal);
      all.set(new Uint8Array(piece), row * columns * width);
      options?.onProgress?.(Math.min(row + step, rows) / rows);
    }
    return all.buffer;
  }

  const asked = { path: params.path ?? "/", selection: chosen.join(","), max_px: LONGEST_EDGE };
  const answer = await ask(url.replace(/\/data$/, "/frame"), asked, signal);
  const edge = Math.ceil(Math.max(rows, columns) / Number(LONGEST_EDGE));
  const across = Math.ceil(columns / edge);
  const halves = answer.byteLength === across * Math.ceil(rows / edge) * 2;
  const small = halves ? Float32Array.from(new Uint16Array(answer), ofHalf) : new Float32Array(answer);
  const all = new ARRAYS[known.array](rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = Math.floor(row / edge) * across;
    for (let column = 0; column < columns; column++) {
      all[row * columns + column] = small[from + Math.floor(column / edge)] ?? 0;
    }
  }
  notes.say("averaged", asked.path, { pixels: `${rows} × ${columns}`, edge });
  return all.buffer;
}

/** Read a number of half precision (IEEE 754), for which browsers are only getting an array. */
function ofHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
