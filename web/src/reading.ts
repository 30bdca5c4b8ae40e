/** Asking our routes, which tell more than h5grove's: missing sources, why not, and the rest of long groups. */
import { createBasicFetcher, type Fetcher, type FetcherOptions } from "@h5web/app";
import { type Stored, stored, values } from "./frames";
import type { Notes } from "./notes";

interface Child {
  name: string;
  kind: string;
  problem?: string;
  attributes?: unknown[];
  missing_sources?: string[];
  missing_sources_total?: number;
  target_file?: string;
  shape?: number[];
  type?: Parameters<typeof stored>[0]["type"];
  chunks?: number[] | null;
  filters?: { id: number }[] | null;
}

interface Meta extends Child {
  children?: Child[];
  children_total?: number;
  next?: number | null;
}

/** The members from one place to another, in a group that has too many, stand in the tree as a group of their own. */
interface Place {
  path: string;
  from: number;
  to: number;
}

const MARK = "\u2060";
const STRETCH = new RegExp(`^.*${MARK}(\\d+)-(\\d+)${MARK}$`);
const NAMES_TOLD = 5;

/** Read a path of the tree: the path in the file, and which of its members are meant where that is a stretch. */
export function placeOf(treePath: string): Place {
  const real: string[] = [];
  let from = 0;
  let to = Number.POSITIVE_INFINITY;
  for (const name of treePath.split("/").filter(Boolean)) {
    const stretch = STRETCH.exec(name);
    if (stretch) [from, to] = [Number(stretch[1]), Number(stretch[2])];
    else {
      real.push(name);
      [from, to] = [0, Number.POSITIVE_INFINITY];
    }
  }
  return { path: `/${real.join("/")}`, from, to };
}

/** Make the function that the viewer asks with. */
export function reading(notes: Notes): Fetcher {
  const ask = createBasicFetcher();
  const known = new Map<string, Stored>();

  function note(path: string, told: Child): void {
    const kept = stored(told);
    if (kept) known.set(path, kept);
    tell(notes, path, told);
  }

  async function meta(url: string, params: Record<string, string>, options?: FetcherOptions): Promise<ArrayBuffer> {
    const { path, from, to } = placeOf(params.path ?? "/");
    const answer = await ask(url, { path, ...(from > 0 && { first: String(from) }) }, options);
    const told = JSON.parse(new TextDecoder().decode(answer)) as Meta;
    note(path, told);
    for (const child of told.children ?? []) note(`${path === "/" ? "" : path}/${child.name}`, child);
    const total = told.children_total;
    if (told.children && total !== undefined) {
      const size = told.children.length;
      if (from === 0) notes.say("members", path, { total, shown: size });
      const end = Math.min(to, total);
      told.children = told.children.slice(0, end - from);
      const after = from + told.children.length;
      const step = from === 0 ? size : end - after;
      for (let start = after; start < end; start += step) {
        told.children.push(stretch(notes, start, Math.min(start + step, end), total));
      }
    }
    return new TextEncoder().encode(JSON.stringify(told)).buffer;
  }

  return (url, { file: _, ...params }, options) => {
    if (url.endsWith("/meta")) return meta(url, params, options);
    const path = placeOf(params.path ?? "/").path;
    const dataset = url.endsWith("/data") && params.format === "bin" ? known.get(path) : undefined;
    if (dataset) return values(ask, url, { ...params, path }, dataset, notes, options);
    return ask(url, { ...params, path }, options);
  };
}

function stretch(notes: Notes, from: number, to: number, total: number): Child {
  const name = notes.text("more", { from: from + 1, to, total });
  return { name: `${name}${MARK}${from}-${to}${MARK}`, kind: "group", attributes: [] };
}

function tell(notes: Notes, path: string, told: Child): void {
  if (told.missing_sources && told.missing_sources.length > 0) {
    const names = told.missing_sources.slice(0, NAMES_TOLD).join(", ");
    const total = told.missing_sources_total ?? told.missing_sources.length;
    notes.say("missing", path, { total, names: total > NAMES_TOLD ? `${names}, …` : names });
  }
  if (told.problem) notes.say("problem", path, { problem: told.problem });
  if (told.kind === "external_link") notes.say("link", path, { file: told.target_file ?? "" });
}
