// The traces that are kept: a list to search, and each as a flame graph.

import { useAsked } from "../data/ask";
import type { Traces as Answer, TraceRow } from "../data/contract";
import { stream } from "../data/events";
import { useStore } from "../data/store";
import { bytes, count, instant, milliseconds, when } from "../format";
import { Mark } from "../parts/mark";
import { Failed, Panel, Waiting } from "../parts/notice";
import { Table } from "../parts/table";
import { Text } from "../parts/text";
import { address, type Route } from "../route";
import { OneTrace } from "./traces/one_trace";
import { Search } from "./traces/search";

export function Traces({ route }: { route: Route }) {
  const instance = useStore(stream, ({ live }) => live?.instance ?? "");
  if (route.id !== null) return <OneTrace key={route.id} id={route.id} instance={instance} />;
  return <List query={route.query} instance={instance} />;
}

function List({ query, instance }: { query: URLSearchParams; instance: string }) {
  const asked = new URLSearchParams(query);
  if (!asked.has("limit")) asked.set("limit", String(PAGE));
  const { answer, error, again } = useAsked<Answer>(`console/traces?${asked}`, EVERY_MS, instance);
  const limit = Number(asked.get("limit"));
  const more = new URLSearchParams(query);
  more.set("limit", String(limit + PAGE));
  return (
    <Panel id="traces" title="Traces" note={answer && `${count(answer.kept)} kept, ${bytes(answer.bytes)} of ${bytes(answer.capacity_bytes)}`}>
      <Search key={query.toString()} query={query} />
      <Failed error={error} again={again} />
      {!answer && error === null && <Waiting what="the traces" />}
      {answer && (
        <>
          <p class="calm" role="status">{told(answer)}</p>
          {answer.traces.length > 0 && <Rows traces={answer.traces} />}
          {answer.matching > answer.traces.length && <p><a href={`#/traces?${more}`}>Show more</a></p>}
        </>
      )}
    </Panel>
  );
}

function Rows({ traces }: { traces: TraceRow[] }) {
  const longest = Math.max(1e-6, ...traces.map(({ duration_ms }) => duration_ms));
  return (
    <Table
      caption="Traces, newest first"
      rows={traces}
      rowKey={({ id }) => id}
      rowData={({ id }) => ({ "data-trace": id })}
      columns={[
        {
          title: "Trace",
          heads: true,
          cell: ({ id, service, name }) => (
            <a href={address("traces", id)}><b><Text value={service} max={40} /></b> <Text value={name === "" ? "(no name)" : name} max={80} /></a>
          ),
        },
        { title: "Services", cell: ({ services }) => <Services names={services} /> },
        {
          title: "Marks",
          cell: ({ errors, unknown, complete }) => (
            <span class="marks">
              {unknown > 0 && <Mark tone="bad" title="spans without a pod">{count(unknown)} no pod</Mark>}
              {errors > 0 && <Mark tone="bad">{count(errors)} {errors === 1 ? "error" : "errors"}</Mark>}
              {!complete && <Mark tone="warning" title="a span names a parent that has not come">incomplete</Mark>}
            </span>
          ),
        },
        { title: "Spans", numeric: true, cell: ({ spans }) => count(spans) },
        {
          title: "Duration",
          numeric: true,
          cell: ({ duration_ms }) => (
            <span class="duration">
              <svg class="duration-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width={(duration_ms / longest) * 100} height="4" /></svg>
              {milliseconds(duration_ms)}
            </span>
          ),
        },
        { title: "Start", numeric: true, cell: ({ start_ms }) => <span title={instant(start_ms)}>{when(start_ms)}</span> },
      ]}
    />
  );
}

function Services({ names }: { names: string[] }) {
  const shown = names.slice(0, NAMES);
  const rest = names.slice(NAMES);
  return (
    <>
      {shown.map((name, index) => <>{index > 0 && ", "}<Text value={name} max={32} /></>)}
      {rest.length > 0 && <span class="aside"> and {rest.length} more</span>}
    </>
  );
}

function told({ kept, matching, traces }: Answer): string {
  if (kept === 0) return "No trace is kept yet. Of the requests that come while this page is open, samples are kept within a second or so.";
  if (matching === 0) return "None of the kept traces is like that.";
  return matching > traces.length ? `${count(matching)} match, the newest ${count(traces.length)} are shown` : `${count(matching)} match`;
}

const EVERY_MS = 3_000;
const PAGE = 100;
/** Services that are named in a row. */
const NAMES = 4;
