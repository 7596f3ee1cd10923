// What the page says about itself: that it waits, or that something failed.

import type { ComponentChildren } from "preact";
import { Mark } from "./mark";

export function Waiting({ what }: { what: string }) {
  return <p class="waiting">Waiting for {what}…</p>;
}

/** An answer that failed, with a way to ask once more. */
export function Failed({ error, again }: { error: string | null; again?: () => void }) {
  if (error === null) return null;
  return (
    <p class="failed" role="alert">
      <Mark tone="bad">failed</Mark> {error}{" "}
      {again && <button type="button" class="small" onClick={again}>Ask again</button>}
    </p>
  );
}

export function Panel({ title, id, note, children }: { title: string; id: string; note?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="panel" aria-labelledby={`${id}-title`} id={id}>
      <header class="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {note !== undefined && <span class="panel-note">{note}</span>}
      </header>
      {children}
    </section>
  );
}
