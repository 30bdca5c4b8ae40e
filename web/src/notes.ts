/** What has to be said of the file beside what the viewer shows: missing data, links not followed, long groups. */
export type Words = Record<string, string>;

interface Note {
  kind: "missing" | "problem" | "link" | "averaged" | "members";
  path: string;
  text: string;
}

const MOST_OF_A_KIND = 4;

export class Notes {
  private readonly known = new Map<string, Note>();
  private path = "/";
  private drawn = "";

  constructor(
    private readonly place: HTMLElement | null,
    private readonly words: Words,
  ) {}

  say(kind: Note["kind"], path: string, filled: Record<string, string | number>): void {
    this.known.set(`${kind} ${path}`, { kind, path, text: this.text(kind, { path, ...filled }) });
    this.draw();
  }

  /** Say what concerns a path and what lies below it. */
  follow(path: string): void {
    this.path = path;
    this.draw();
  }

  text(word: string, filled: Record<string, string | number>): string {
    return (this.words[word] ?? word).replace(/\{(\w+)\}/g, (_, name: string) => String(filled[name] ?? ""));
  }

  private draw(): void {
    if (!this.place) return;
    const below = this.path === "/" ? "/" : `${this.path}/`;
    const said = [...this.known.values()].filter(({ path }) => path === this.path || path.startsWith(below));
    const lines: string[] = [];
    for (const kind of ["missing", "problem", "link", "averaged", "members"]) {
      const own = said.filter((note) => note.kind === kind);
      lines.push(...own.slice(0, MOST_OF_A_KIND).map(({ text }) => text));
      if (own.length > MOST_OF_A_KIND) lines.push(this.text("others", { total: own.length - MOST_OF_A_KIND }));
    }
    if (lines.join("\n") === this.drawn) return;
    this.drawn = lines.join("\n");
    const box = document.createElement("div");
    box.className = said.some(({ kind }) => kind !== "members" && kind !== "averaged") ? "note warn" : "note";
    const list = document.createElement("ul");
    for (const line of lines) list.append(Object.assign(document.createElement("li"), { textContent: line }));
    box.append(list);
    this.place.replaceChildren(...(lines.length > 0 ? [box] : []));
  }
}
