// Where in the page one is: the part of the address after `#`, so that a link leads there.

import { Store, useStore } from "./data/store";

export type View = "live" | "who" | "traces" | "pods" | "configuration";

export interface Route {
  view: View;
  /** The second part of the path, such as a trace's id. */
  id: string | null;
  query: URLSearchParams;
}

export const VIEWS: readonly { view: View; title: string }[] = [
  { view: "live", title: "Live" },
  { view: "who", title: "Who" },
  { view: "traces", title: "Traces" },
  { view: "pods", title: "Pods" },
  { view: "configuration", title: "Configuration" },
];

export const route = new Store<Route>(read(location.hash));

export function followAddress(): void {
  window.addEventListener("hashchange", () => route.set(read(location.hash)));
}

export function useRoute(): Route {
  return useStore(route);
}

/** The address of a view, or of something in it. Empty values are left out of the query. */
export function address(view: View, id: string | null = null, query: Record<string, string> = {}): string {
  const set = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  const path = id === null ? `#/${view}` : `#/${view}/${encodeURIComponent(id)}`;
  return set.size === 0 ? path : `${path}?${set}`;
}

function read(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name = "", id = ""] = path.split("/", 2);
  const known = VIEWS.find(({ view }) => view === name);
  return { view: known?.view ?? "live", id: id === "" ? null : decoded(id), query: new URLSearchParams(query) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
