import "@h5web/app/styles.css";
import { App, H5GroveProvider, useDataContext } from "@h5web/app";
import { Component, type ReactNode, useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { Address, shownPath } from "./address";
import { Hinted, type Hints } from "./hints";
import { Notes, type Words } from "./notes";
import { reading } from "./reading";

const NARROW = 900;
const TOO_NARROW = 640;

interface Shown {
  path: string;
  slice: string;
  /** Steps back and forth begin the viewer anew. */
  step: number;
}

/** Notes which part of a dataset is asked for whenever something is drawn. */
function Parts({ address }: { address: Address }): null {
  const { valuesStore } = useDataContext();
  useEffect(() => {
    const get = valuesStore.get;
    valuesStore.get = (asked) => {
      if (asked.selection) queueMicrotask(() => address.part(asked.selection));
      return get(asked);
    };
    return () => {
      valuesStore.get = get;
    };
  }, [valuesStore, address]);
  return null;
}

function Viewer({ place, words }: { place: HTMLElement; words: Words }): ReactNode {
  const { file = "", name = "", path = "/", slice = "" } = place.dataset;
  const hints = useMemo(() => JSON.parse(place.dataset.hints ?? "{}") as Hints, [place]);
  const [shown, setShown] = useState<Shown>({ path, slice, step: 0 });
  const notes = useMemo(() => new Notes(document.getElementById("look-notes"), words), [words]);
  const fetcher = useMemo(() => reading(notes), [notes]);
  const address = useMemo(() => new Address(path), [path]);

  useEffect(() => {
    const observer = new MutationObserver(() => {
      const now = shownPath(place);
      if (now === undefined) return;
      address.follow(now);
      notes.follow(place.dataset.whole && now === path ? "/" : now);
    });
    observer.observe(place, { childList: true, subtree: true, characterData: true });
    const back = () => setShown(({ step }) => ({ ...address.read(), step: step + 1 }));
    addEventListener("popstate", back);
    return () => {
      observer.disconnect();
      removeEventListener("popstate", back);
    };
  }, [place, address, notes, path]);

  return (
    <H5GroveProvider url={new URL(file, location.href).href} filepath={name} fetcher={fetcher}>
      <Hinted hints={hints} slice={slice} />
      <Parts address={address} />
      <App key={shown.step} initialPath={shown.path} sidebarOpen={innerWidth >= NARROW} disableDarkMode />
    </H5GroveProvider>
  );
}

/** Says that the viewer cannot work here, and where the plain view is. */
class Fallible extends Component<{ children: ReactNode; words: Words }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return <p className="look-wait">{this.props.words.failed}</p>;
  }
}

const place = document.getElementById("viewer");
const plain = document.getElementById("look-plain");
const asked = new URL(location.href).searchParams.get("view");
if (innerWidth < TOO_NARROW && asked !== "full" && plain instanceof HTMLAnchorElement) {
  location.replace(plain.href);
} else if (place) {
  const words = JSON.parse(place.dataset.words ?? "{}") as Words;
  createRoot(place).render(
    <Fallible words={words}>
      <Viewer place={place} words={words} />
    </Fallible>,
  );
}
