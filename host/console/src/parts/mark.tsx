// A word with a sign and a colour: what it says does not hang on the colour.

import type { ComponentChildren } from "preact";
import { found, level, type Tone } from "../words";

const SIGNS: Record<Tone, string> = { good: "✓", plain: "·", warning: "▲", bad: "✕" };

export function Mark({ tone, title, children }: { tone: Tone; title?: string | undefined; children: ComponentChildren }) {
  return (
    <span class={`mark ${tone}`} title={title}>
      <span class="mark-sign" aria-hidden="true">{SIGNS[tone]}</span>
      {children}
    </span>
  );
}

/** How an address was found. */
export function FoundMark({ value }: { value: string }) {
  const { word, tone, about } = found(value);
  return <Mark tone={tone} title={about}>{word}</Mark>;
}

export function LevelMark({ value }: { value: string }) {
  const { word, tone } = level(value);
  return <Mark tone={tone}>{word}</Mark>;
}
