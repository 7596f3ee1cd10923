// Text from elsewhere: names, addresses, messages. It is always text, never markup.

import { useState } from "preact/hooks";
import { beginning, visible, visibleText } from "./characters";

/**
 * A text, cut after `max` characters with the rest in its title. It keeps its direction to itself, and characters that would not be
 * seen are shown by signs.
 */
export function Text({ value, max = 80 }: { value: string; max?: number }) {
  const cut = beginning(value, max);
  const isCut = cut.length < value.length;
  const pieces = visible(cut);
  const title = isCut || pieces.some((piece) => piece.stands) ? visibleText(beginning(value, TITLE)) : undefined;
  return (
    <bdi class="text" title={title}>
      {pieces.map(({ text, stands }) => (stands ? <span class="sign">{text}</span> : text))}
      {isCut && <span class="cut">…</span>}
    </bdi>
  );
}

/** A text that can be read to its end: behind a button where it is long. */
export function WholeText({ value, max = 400 }: { value: string; max?: number }) {
  const [open, setOpen] = useState(false);
  if (value.length <= max) return <Text value={value} max={max} />;
  return (
    <>
      {open ? <bdi class="text whole" tabIndex={0} role="group" aria-label="The whole text">{value.split("\n").map(visibleText).join("\\n\n")}</bdi> : <Text value={value} max={max} />}{" "}
      <button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "less" : `all ${value.length.toLocaleString("en")} characters`}
      </button>
    </>
  );
}

/** What stands in a place without a value. */
export function None({ word = "none" }: { word?: string }) {
  return <span class="none">{word}</span>;
}

/** How much of a long text its title holds: browsers show no more. */
const TITLE = 1_000;
