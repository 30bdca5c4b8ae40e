/** Undo deflate with zlib's header (HDF5 filter 1), by the browser's own means. */
export async function inflate(source: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([source as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
