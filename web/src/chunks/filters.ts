import { bitshuffle } from "./bitshuffle";
import { blosc } from "./blosc";
import { inflate } from "./deflate";
import { lz4Filter } from "./lz4";
import { unshuffle } from "./shuffle";

/** A filter of HDF5: the number it is registered by, and the values it was set up with. */
export interface Filter {
  id: number;
  options: number[];
}

const CHECKSUM_BYTES = 4;

const UNDO: Record<number, (source: Uint8Array, options: number[]) => Uint8Array | Promise<Uint8Array>> = {
  1: inflate,
  2: (source, options) => unshuffle(source, options[0] ?? 1),
  3: (source) => source.subarray(0, source.length - CHECKSUM_BYTES),
  32001: blosc,
  32004: lz4Filter,
  32008: bitshuffle,
};

/** Whether all filters can be undone here. */
export function known(filters: Pick<Filter, "id">[]): boolean {
  return filters.every((filter) => filter.id in UNDO);
}

/** Undo the filters of a chunk, the last one first; those whose bit is set in `skipped` were not applied. */
export async function undo(chunk: Uint8Array, filters: Filter[], skipped: number): Promise<Uint8Array> {
  let found = chunk;
  for (let place = filters.length - 1; place >= 0; place--) {
    const filter = filters[place]!;
    if (skipped & (1 << place)) continue;
    const how = UNDO[filter.id];
    if (how === undefined) throw new Error(`filter ${filter.id} is unknown here`);
    found = await how(found, filter.options);
  }
  return found;
}
