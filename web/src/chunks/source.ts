/** Frames by way of their stored chunks: undone in a worker, kept for a while, and fetched ahead of the slider. */
import { known } from "./filters";
import type { Asked, Got } from "./worker";

/** How a dataset is stored. */
export interface Storage {
  shape: number[];
  chunks?: number[] | null;
  filters?: { id: number }[] | null;
}

const MOST_KEPT = 192_000_000;
const MOST_WASTE = 2;

type Values = ArrayBufferView<ArrayBuffer>;

export class Frames {
  private worker: Worker | undefined;
  private last = 0;
  private readonly waiting = new Map<number, (got: Got) => void>();
  private readonly kept = new Map<string, Promise<Values | undefined>>();
  private readonly sizes = new Map<string, number>();
  private readonly refused = new Set<string>();
  private readonly before = new Map<string, number[]>();

  /**
   * Return the values of a selection as they are stored; undefined where they have to be asked for the plain way.
   *
   * `url` is that of the chunks, `kind` the array that they are to come in, `bytes` their size.
   */
  async values(
    url: string,
    path: string,
    selection: string[],
    storage: Storage,
    kind: string,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<ArrayBuffer | undefined> {
    if (this.refused.has(path) || !worthwhile(storage, selection)) return undefined;
    const found = await this.fetch(url, path, selection, bytes, signal);
    if (found === undefined || found.constructor.name !== kind) return undefined;
    this.ahead(url, path, selection, storage, bytes);
    return found.buffer.slice(0);
  }

  /** Fetch the neighbour that the slider moves towards. */
  private ahead(url: string, path: string, selection: string[], storage: Storage, bytes: number): void {
    const at = selection.map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : -1));
    const earlier = this.before.get(path);
    this.before.set(path, at);
    const axis = at.findIndex((index, place) => index >= 0 && index !== (earlier?.[place] ?? index));
    const moved = axis < 0 ? at.findIndex((index) => index >= 0) : axis;
    if (moved < 0) return;
    const step = axis >= 0 && (earlier?.[moved] ?? 0) > at[moved]! ? -1 : 1;
    const next = at[moved]! + step;
    if (next < 0 || next >= storage.shape[moved]!) return;
    void this.fetch(url, path, selection.with(moved, String(next)), bytes);
  }

  private fetch(
    url: string,
    path: string,
    selection: string[],
    bytes: number,
    signal?: AbortSignal,
  ): Promise<Values | undefined> {
    const text = selection.join(",");
    const key = `${url} ${path} ${text}`;
    const there = this.kept.get(key);
    if (there) {
      this.kept.delete(key);
      this.kept.set(key, there);
      return there;
    }
    const made = this.ask(`${url}?${new URLSearchParams({ path, selection: text })}`, text, signal).then((got) => {
      if (got.values) return got.values;
      this.forget(key);
      if (got.lasting) this.refused.add(path);
      return undefined;
    });
    this.kept.set(key, made);
    this.sizes.set(key, bytes);
    let sum = 0;
    for (const size of this.sizes.values()) sum += size;
    for (const oldest of this.kept.keys()) {
      if (sum <= MOST_KEPT || oldest === key) break;
      sum -= this.sizes.get(oldest) ?? 0;
      this.forget(oldest);
    }
    return made;
  }

  private forget(key: string): void {
    this.kept.delete(key);
    this.sizes.delete(key);
  }

  private ask(url: string, selection: string, signal?: AbortSignal): Promise<Got> {
    this.worker ??= this.start();
    const id = ++this.last;
    const asked: Asked = { id, url: new URL(url, location.href).href, selection };
    this.worker.postMessage(asked);
    signal?.addEventListener("abort", () => this.worker?.postMessage({ cancel: id }), { once: true });
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const told = (got: Got): void => {
      this.waiting.get(got.id)?.(got);
      this.waiting.delete(got.id);
    };
    worker.onmessage = ({ data }: MessageEvent<Got>) => told(data);
    worker.onerror = () => {
      for (const id of [...this.waiting.keys()]) told({ id, problem: "the worker ended" });
      this.worker = undefined;
    };
    return worker;
  }
}

/** Say whether the chunks of a selection hold not much more than it, and can be undone here. */
function worthwhile({ shape, chunks, filters }: Storage, selection: string[]): boolean {
  if (!chunks || !known(filters ?? [])) return false;
  let waste = 1;
  for (const [axis, edge] of chunks.entries()) {
    const whole = selection[axis]?.trim() === ":";
    waste *= whole ? (Math.ceil(shape[axis]! / edge) * edge) / shape[axis]! : edge;
  }
  return waste <= MOST_WASTE;
}
