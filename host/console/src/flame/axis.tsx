// The time above the graph.

import { nanoseconds } from "../format";
import type { View } from "./pieces";

export function Axis({ view }: { view: View }) {
  const step = nice((view.to - view.from) / Math.max(2, Math.floor(view.width / 90)));
  const ticks: number[] = [];
  for (let at = Math.ceil(view.from / step) * step; at <= view.to && ticks.length < 100; at += step) ticks.push(at);
  return (
    <div class="axis" aria-hidden="true">
      {ticks.map((at) => <span class="tick" style={{ left: `${((at - view.from) / (view.to - view.from)) * view.width}px` }}>{at === 0 ? "0" : nanoseconds(at)}</span>)}
    </div>
  );
}

/** The next larger of 1, 2 and 5 with zeros. */
function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  const digit = value / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}
