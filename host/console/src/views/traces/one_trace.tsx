// One trace: what it is, its flame graph, the chosen span, and the same as a table.

import { useMemo, useState } from "preact/hooks";
import { useAsked } from "../../data/ask";
import type { Trace } from "../../data/contract";
import { Graph, type Range } from "../../flame/graph";
import { layOut, type Bar } from "../../flame/layout";
import { services } from "../../flame/services";
import { count, instant, nanoseconds } from "../../format";
import { Mark } from "../../parts/mark";
import { Failed, Panel, Waiting } from "../../parts/notice";
import { Text } from "../../parts/text";
import { address } from "../../route";
import { Legend } from "./legend";
import { SpanDetails } from "./span_details";
import { SpanTable } from "./span_table";

export function OneTrace({ id, instance }: { id: string; instance: string }) {
  const { answer, error, again } = useAsked<Trace>(`console/traces/${encodeURIComponent(id)}`, null, instance);
  return (
    <div class="trace">
      <p class="back"><a href={address("traces")}>All traces</a></p>
      <Failed error={error} again={again} />
      {!answer && error === null && <Waiting what="the trace" />}
      {answer && (answer.spans.length === 0 ? <p class="calm">Of this trace no span is kept.</p> : <Shown key={`${answer.id} ${answer.spans.length}`} trace={answer} again={again} />)}
    </div>
  );
}

function Shown({ trace, again }: { trace: Trace; again: () => void }) {
  const layout = useMemo(() => layOut(trace), [trace]);
  const named = useMemo(() => services(trace), [trace]);
  const root = layout.roots[0] as Bar;
  const [chosen, setChosen] = useState(root);
  const whole: Range = { from: layout.start, to: layout.end };
  const [range, setRange] = useState(whole);
  const isWhole = range.from <= whole.from && range.to >= whole.to;
  const rootService = trace.resources[root.span.resource]?.service ?? "";
  const orphans = layout.bars.filter(({ orphan }) => orphan).length;
  return (
    <>
      <Panel id="trace-head" title="Trace" note={<span class="number">{trace.id}</span>}>
        <p class="trace-name"><b><Text value={rootService} max={80} /></b> <Text value={root.span.name} max={160} /></p>
        <p class="trace-facts">
          <span>{instant(Number(BigInt(trace.start_ns) / 1_000_000n))}</span>
          <span>{nanoseconds(trace.duration_ns)}</span>
          <span>{count(trace.spans.length)} spans of {count(named.size)} {named.size === 1 ? "service" : "services"}</span>
          {trace.omitted && <Mark tone="warning">spans left out: the trace is too large to be kept whole</Mark>}
          {orphans > 0 && <Mark tone="warning">{count(orphans)} with a missing parent</Mark>}
          <Outward link={trace.link} />
          <button type="button" class="small" onClick={again}>Read again</button>
        </p>
        <Legend services={[...named.values()]} />
      </Panel>
      <div class="trace-parts">
        <Panel
          id="flame"
          title="Flame graph"
          note={isWhole ? `the whole trace, ${count(layout.lanes.length)} lanes` : <button type="button" class="small" onClick={() => setRange(whole)}>Whole trace</button>}
        >
          <Graph trace={trace} layout={layout} named={named} chosen={chosen} range={range} onChoose={setChosen} onRange={setRange} />
        </Panel>
        <SpanDetails trace={trace} bar={chosen} onChoose={setChosen} />
      </div>
      <SpanTable trace={trace} layout={layout} chosen={chosen} onChoose={setChosen} />
    </>
  );
}

/** Only a link to a page: a pattern that was configured wrongly is to do no harm. */
function Outward({ link }: { link: string | null }) {
  if (link === null || !/^https?:\/\//i.test(link)) return null;
  return <a href={link} target="_blank" rel="noreferrer noopener">Open elsewhere<span class="hidden"> in a new tab: {link}</span> ↗</a>;
}
