/** The address of the page goes along with what the viewer shows: its path and the part of the data. */
import { placeOf } from "./reading";

/** Read the path that the viewer shows out of its breadcrumbs; it has no other way to tell. */
export function shownPath(viewer: HTMLElement): string | undefined {
  const root = viewer.querySelector("[data-fullscreen-root]");
  const heading = root?.querySelector("h1");
  if (!root || !heading) return undefined;
  const crumbs = [...heading.querySelectorAll("button > span")].map((crumb) => crumb.textContent ?? "");
  const withFile = root.hasAttribute("data-sidebar-collapsed") && crumbs.length > 0;
  return `/${crumbs.slice(withFile ? 1 : 0).join("/")}`;
}

/** Keep the address, and what on the page depends on it, in step with the viewer. */
export class Address {
  private shown: string;

  constructor(path: string) {
    this.shown = path;
  }

  /** Note a path of the tree; a new one is a step that the browser goes back from. */
  follow(treePath: string): void {
    const { path } = placeOf(treePath);
    if (path === this.shown) return;
    this.shown = path;
    this.write({ path, slice: null }, "pushState");
  }

  /** Note which part of the data at the path is shown. */
  part(selection: string | undefined): void {
    const slice = selection && /\d/.test(selection) ? selection : null;
    if (new URL(location.href).searchParams.get("slice") !== slice) this.write({ slice }, "replaceState");
  }

  /** Take the address as it is, after a step back or forth. */
  read(): { path: string; slice: string } {
    const asked = new URL(location.href).searchParams;
    this.shown = asked.get("path") ?? "/";
    this.show(new URL(location.href));
    return { path: this.shown, slice: asked.get("slice") ?? "" };
  }

  private write(given: Record<string, string | null>, how: "pushState" | "replaceState"): void {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(given)) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    history[how](null, "", url);
    this.show(url);
  }

  private show(url: URL): void {
    const place = document.getElementById("look-path");
    if (place) place.textContent = this.shown;
    const copy = document.getElementById("look-copy");
    if (copy) copy.dataset.copy = url.href;
    const plain = document.getElementById("look-plain");
    if (plain instanceof HTMLAnchorElement) {
      const other = new URL(url);
      other.searchParams.set("view", "plain");
      plain.href = other.href;
    }
  }
}
