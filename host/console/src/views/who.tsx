// Which service's spans come from which pod, and how podstamp knows.

import { useEffect, useRef, useState } from "preact/hooks";
import type { ServiceRow, Services } from "../data/contract";
import { useAsked } from "../data/ask";
import { stream } from "../data/events";
import { useStore } from "../data/store";
import { ago, count, rate } from "../format";
import { FoundMark, Mark } from "../parts/mark";
import { Failed, Panel, Waiting } from "../parts/notice";
import { Table } from "../parts/table";
import { None, Text } from "../parts/text";
import { address, type Route } from "../route";
import { isPodless } from "../words";
import { Explained } from "./who/explained";

export function Who({ route }: { route: Route }) {
  const instance = useStore(stream, ({ live }) => live?.instance ?? "");
  const { answer, error, again } = useAsked<Services>("console/services", EVERY_MS, instance);
  const [wanted, setWanted] = useState("");
  const [shown, setShown] = useState(PAGE);
  const opened = useRef(route.id);
  useEffect(() => {
    const closed = route.id === null ? opened.current : null;
    opened.current = route.id;
    // Whoever closes an explanation is back at the row that it was opened from.
    if (closed !== null) document.querySelector<HTMLElement>(`[data-service="${CSS.escape(closed)}"] a`)?.focus();
  }, [route.id]);
  if (!answer) return error === null ? <Waiting what="the services" /> : <Failed error={error} again={again} />;
  const rows = answer.rows.filter((row) => matches(row, wanted));
  return (
    <div class={route.id === null ? "who" : "who divided"}>
      {route.id !== null && <Explained id={route.id} instance={instance} />}
      <Panel id="services" title="Services and their pods" note={sampled(answer)}>
        <Failed error={error} again={again} />
        <Summary rows={answer.rows} />
        <p class="filter">
          <label>Filter <input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} placeholder="service, pod, address, how found" /></label>
          <span role="status">{wanted !== "" && `${count(rows.length)} of ${count(answer.rows.length)}`}</span>
        </p>
        {answer.rows.length === 0 ? (
          <p class="calm">No request has come yet. Services appear here as soon as they send.</p>
        ) : (
          <Rows rows={rows.slice(0, shown)} chosen={route.id} />
        )}
        {rows.length > shown && <button type="button" onClick={() => setShown(shown + PAGE)}>Show more of the other {count(rows.length - shown)}</button>}
        {answer.omitted > 0 && <p class="calm">{count(answer.omitted)} more were seen, and not kept: there are too many.</p>}
      </Panel>
    </div>
  );
}

function Rows({ rows, chosen }: { rows: ServiceRow[]; chosen: string | null }) {
  const nowMs = useStore(stream, ({ live }) => live?.now_ms ?? 0) || Date.now();
  return (
    <Table
      caption="Services and their pods: unknown and suspicious ones first"
      rows={rows}
      rowKey={({ id }) => id}
      rowClass={(row) => `${isPodless(row.found) ? "is-bad" : row.suspicious !== null ? "is-suspicious" : ""}${row.id === chosen ? " chosen" : ""}`}
      rowData={(row) => ({ "data-service": row.id })}
      columns={[
        {
          title: "Service",
          heads: true,
          cell: (row) => (
            <a href={address("who", row.id)} aria-current={row.id === chosen ? "true" : undefined}>
              <Text value={row.service === "" ? "(no service.name)" : row.service} max={48} />
              {row.service_namespace !== "" && <span class="aside"> <Text value={row.service_namespace} max={32} /></span>}
            </a>
          ),
        },
        { title: "Pod", cell: (row) => (row.pod ? <>{row.pod_namespace && <span class="aside"><Text value={row.pod_namespace} max={32} />/</span>}<Text value={row.pod} max={64} /></> : <None />) },
        { title: "Address", cell: (row) => (row.address ? <span class="number"><Text value={row.address} max={45} /></span> : <None />) },
        {
          title: "Found by",
          cell: (row) => (
            <>
              <FoundMark value={row.found} pod={row.pod !== ""} />
              {row.suspicious !== null && <> <Mark tone="warning" title={row.suspicious}>suspicious</Mark></>}
            </>
          ),
        },
        { title: "Spans", numeric: true, cell: (row) => (row.spans_exact ? count(row.spans) : <span title="an estimate, from the requests that were sampled">≈ {rate(row.spans)}</span>) },
        { title: "Last seen", numeric: true, cell: (row) => ago(row.last_ms, nowMs) },
      ]}
    />
  );
}

/** In words what the first rows show. */
function Summary({ rows }: { rows: ServiceRow[] }) {
  const bad = rows.filter(({ found }) => isPodless(found)).length;
  const strange = rows.filter(({ found, pod }) => !isPodless(found) && pod === "").length;
  const suspicious = rows.filter(({ suspicious }) => suspicious !== null).length;
  if (rows.length === 0) return null;
  return (
    <p class="summary">
      {bad > 0 && <Mark tone="bad">{count(bad)} without a pod</Mark>}
      {suspicious > 0 && <Mark tone="warning">{count(suspicious)} suspicious</Mark>}
      {strange > 0 && <Mark tone="plain">{count(strange)} with an address of no pod that podstamp knows</Mark>}
      {bad + suspicious + strange === 0 && <Mark tone="good">every service leads to its pod</Mark>}
      {bad + suspicious > 0 && <span> Open one to see why, and what would make it right.</span>}
    </p>
  );
}

function sampled({ seen }: Services): string {
  const part = seen.requests === 0 || seen.examined >= seen.requests ? "all of them examined" : `${count(seen.examined)} of them examined`;
  return `${count(seen.requests)} requests, ${part}`;
}

function matches(row: ServiceRow, wanted: string): boolean {
  const words = wanted.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const texts = [row.service, row.service_namespace, row.pod, row.pod_namespace, row.address, row.found, row.peer, row.suspicious === null ? "" : "suspicious"];
  return words.every((word) => texts.some((text) => text?.toLowerCase().includes(word)));
}

const EVERY_MS = 2_000;
/** Rows that are drawn at first. */
const PAGE = 200;
