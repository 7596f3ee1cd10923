// The frame around the views: what is always there.

import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Header } from "./header";
import { address, useRoute, VIEWS, type Route, type View } from "./route";
import { Configuration } from "./views/configuration";
import { Live } from "./views/live";
import { Pods } from "./views/pods";
import { Traces } from "./views/traces";
import { Who } from "./views/who";

const PAGES: Record<View, ComponentType<{ route: Route }>> = {
  live: Live,
  who: Who,
  traces: Traces,
  pods: Pods,
  configuration: Configuration,
};

export function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const title = VIEWS.find(({ view }) => view === route.view)?.title ?? "";
  // A trace is a view of its own; an explanation stands beside its table, and takes the focus itself.
  const place = route.view === "traces" ? `traces/${route.id ?? ""}` : route.view;
  const drawn = useRef(place);
  useEffect(() => {
    document.title = `${title} · podstamp`;
    if (drawn.current === place) return;
    drawn.current = place;
    // Whoever goes on by keyboard or hears the page starts at the new view.
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [place]);
  const Page = PAGES[route.view];
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the view</a>
      <Header />
      <nav aria-label="Views" class="views">
        <ul>
          {VIEWS.map(({ view, title }) => (
            <li><a href={address(view)} aria-current={route.view === view ? "page" : undefined}>{title}</a></li>
          ))}
        </ul>
      </nav>
      <main id="main" ref={main} tabIndex={-1} aria-label={title}>
        <h1 class="hidden">{title}</h1>
        <Page route={route} />
      </main>
    </>
  );
}
