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

/** How an address was found. It is good only where a pod is known that has it. */
export function FoundMark({ value, pod }: { value: string; pod: boolean }) {
  const { word, tone, about } = found(value);
  if (tone === "good" && !pod) return <Mark tone="plain" title={`${about} podstamp knows no pod that has it.`}>{word}</Mark>;
  return <Mark tone={tone} title={about}>{word}</Mark>;
}

export function LevelMark({ value }: { value: string }) {
  const { word, tone } = level(value);
  return <Mark tone={tone}>{word}</Mark>;
}
