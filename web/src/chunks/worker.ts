import { decode } from "./answer";

/** What the page asks: an address of chunks, and which part of them it wants. */
export interface Asked {
  id: number;
  url: string;
  selection?: string;
}

/** What it gets: the values, or why not, and whether it would be so again - then it takes the plain way. */
export interface Got {
  id: number;
  values?: ArrayBufferView<ArrayBuffer>;
  problem?: string;
  lasting?: boolean;
}

const going = new Map<number, AbortController>();

self.onmessage = async ({ data }: MessageEvent<Asked | { cancel: number }>) => {
  if ("cancel" in data) {
    going.get(data.cancel)?.abort();
    return;
  }
  const { id, url, selection } = data;
  const control = new AbortController();
  going.set(id, control);
  let lasting = false;
  try {
    const answer = await fetch(url, { signal: control.signal, credentials: "same-origin" });
    lasting = answer.status === 413 || answer.status === 422;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const stored = await answer.arrayBuffer();
    lasting = true;
    const values = await decode(stored, selection);
    (self as unknown as Worker).postMessage({ id, values } satisfies Got, [values.buffer]);
  } catch (error) {
    (self as unknown as Worker).postMessage({ id, problem: String(error), lasting } satisfies Got);
  } finally {
    going.delete(id);
  }
};
