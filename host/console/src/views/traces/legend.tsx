// Which colour is which service, and what the marks in bars mean.

import { useState } from "preact/hooks";
import type { TracedService } from "../../flame/services";
import { count } from "../../format";
import { Text } from "../../parts/text";

export function Legend({ services }: { services: TracedService[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? services : services.slice(0, SHOWN);
  return (
    <>
      <ul class="legend" aria-label="Services">
        {shown.map(({ name, colour, spans, unknown }) => (
          <li>
            <span class={`swatch ${colour}${unknown === spans ? " podless" : ""}`} aria-hidden="true" />
            <Text value={name === "" ? "(no service.name)" : name} max={48} /> <span class="aside">{count(spans)}{unknown > 0 && `, ${count(unknown)} without a pod`}</span>
          </li>
        ))}
        {services.length > shown.length && <li><button type="button" class="small" onClick={() => setAll(true)}>and {count(services.length - shown.length)} more</button></li>}
      </ul>
      <ul class="legend marks-legend" aria-label="Marks">
        <li><span class="swatch podless" aria-hidden="true" /> no pod</li>
        <li><b aria-hidden="true">✕</b> error</li>
        <li><b aria-hidden="true">⇄</b> outside of its parent: clocks disagree, or nobody waited</li>
        <li><b aria-hidden="true">⤒</b> its parent is missing</li>
        <li><span class="swatch gap-swatch" aria-hidden="true" /> time before a child starts</li>
      </ul>
    </>
  );
}

/** Services that are named at first. */
const SHOWN = 24;
