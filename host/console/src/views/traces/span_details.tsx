// All that is known of the chosen span.

import type { Trace } from "../../data/contract";
import { stream } from "../../data/events";
import { useStore } from "../../data/store";
import { ownTime, type Bar } from "../../flame/layout";
import { nanoseconds } from "../../format";
import { FoundMark, Mark } from "../../parts/mark";
import { Panel } from "../../parts/notice";
import { None, Text, WholeText } from "../../parts/text";
import { address } from "../../route";

export function SpanDetails({ trace, bar, onChoose }: { trace: Trace; bar: Bar; onChoose: (bar: Bar) => void }) {
  const payloads = useStore(stream, ({ live }) => live?.settings.payloads ?? false);
  const { span, parent } = bar;
  const resource = trace.resources[span.resource];
  return (
    <Panel id="span" title="Span" note={<span class="number">{span.id}</span>}>
      <p class="trace-name"><b><WholeText value={resource?.service || "(no service.name)"} max={120} /></b> <WholeText value={span.name} max={300} /></p>
      {(span.error || bar.orphan || bar.outside !== null) && <p class="marks">
        {span.error && <Mark tone="bad">error</Mark>}
        {bar.orphan && <Mark tone="warning">parent missing</Mark>}
        {bar.outside && <Mark tone="warning">outside of its parent</Mark>}
      </p>}
      <dl class="facts">
        <dt>Pod</dt>
        <dd>
          {resource?.pod ? <>{resource.pod_namespace && <span class="aside"><Text value={resource.pod_namespace} />/</span>}<WholeText value={resource.pod} max={260} /></> : <None word="no pod" />}
        </dd>
        <dt>Address</dt>
        <dd>
          {resource?.address ? <span class="number"><Text value={resource.address} /></span> : <None />} {resource && <FoundMark value={resource.found} pod={resource.pod !== ""} />}
          {resource?.row && <> <a href={address("who", resource.row)}>why</a></>}
        </dd>
        <dt>Kind</dt>
        <dd>{span.kind}</dd>
        <dt>Start</dt>
        <dd>{nanoseconds(span.start_ns)} after the trace</dd>
        <dt>Duration</dt>
        <dd>{nanoseconds(span.duration_ns)}, {nanoseconds(ownTime(bar))} of it without a child</dd>
        <dt>Parent</dt>
        <dd>
          {parent ? <><button type="button" class="link" onClick={() => onChoose(parent)}><Text value={parent.span.name || "(no name)"} max={80} /></button> {relation(bar, parent)}</> : bar.orphan ? <>missing: <span class="number">{span.parent}</span></> : "none: it is a root"}
        </dd>
        {span.status !== "" && <><dt>Status</dt><dd><WholeText value={span.status} /></dd></>}
      </dl>
      <h3>Attributes</h3>
      {span.attributes.length > 0 ? (
        <dl class="attributes">
          {span.attributes.map(({ key, value }) => <div><dt><Text value={key} max={120} /></dt><dd><WholeText value={value} max={200} /></dd></div>)}
        </dl>
      ) : (
        <p class="calm">{payloads ? "None." : <>Not shown: they may hold what is private. <code>podstamp.admin.console: {"{payloads: true}"}</code> shows them.</>}</p>
      )}
    </Panel>
  );
}

function relation(bar: Bar, parent: Bar): string {
  const gap = bar.start - parent.start;
  const starts = gap >= 0 ? `starts ${nanoseconds(gap)} after it` : `starts ${nanoseconds(-gap)} before it`;
  const late = bar.outside?.after ?? 0;
  return late > 0 ? `${starts}, ends ${nanoseconds(late)} after it` : starts;
}
