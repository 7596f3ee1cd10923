// Why the spans of a service have the address that they have.

import { useEffect, useRef } from "preact/hooks";
import { useAsked } from "../../data/ask";
import type { ServiceExplained } from "../../data/contract";
import { count, instant } from "../../format";
import { FoundMark, Mark } from "../../parts/mark";
import { Failed, Waiting } from "../../parts/notice";
import { None, Text, WholeText } from "../../parts/text";
import { address } from "../../route";
import { ReasonsGiven } from "./reasons";

export function Explained({ id, instance }: { id: string; instance: string }) {
  const { answer, error, again } = useAsked<ServiceExplained>(`console/services/${encodeURIComponent(id)}`, EVERY_MS, instance);
  const heading = useRef<HTMLHeadingElement>(null);
  const there = answer !== null || error !== null;
  useEffect(() => {
    if (there) heading.current?.focus();
  }, [id, there]);
  return (
    <section class="panel explained" aria-labelledby="explained-title">
      <header class="panel-head">
        <h2 id="explained-title" ref={heading} tabIndex={-1}>
          {answer ? <Text value={answer.row.service || "(no service.name)"} max={80} /> : "Service"}
        </h2>
        <a class="close" href={address("who")}>Close</a>
      </header>
      <Failed error={error} again={again} />
      {!there && <Waiting what="the explanation" />}
      {answer && <Body explained={answer} />}
    </section>
  );
}

function Body({ explained }: { explained: ServiceExplained }) {
  const { row } = explained;
  return (
    <>
      {row.suspicious !== null && <p class="suspicion"><Mark tone="warning">suspicious</Mark> <WholeText value={row.suspicious} max={1_000} /></p>}
      <dl class="facts">
        <dt>Stamped</dt>
        <dd><span class="number">{row.address ? <Text value={row.address} /> : <None word="no address" />}</span> <FoundMark value={row.found} pod={row.pod !== ""} /></dd>
        {row.service_namespace !== "" && <><dt>Namespace</dt><dd><Text value={row.service_namespace} /></dd></>}
        {row.service.length > 80 && <><dt>service.name</dt><dd><WholeText value={row.service} /></dd></>}
        <dt>Peer</dt>
        <dd class="number">{row.peer ? <Text value={row.peer} /> : <None />}</dd>
        <dt>Spans</dt>
        <dd>{row.spans_exact ? count(row.spans) : `about ${count(row.spans)}`}, <a href={address("traces", null, { service: row.service })}>its traces</a></dd>
        <dt>Seen</dt>
        <dd>{instant(row.first_ms)} to {instant(row.last_ms)}</dd>
      </dl>
      <ReasonsGiven reasons={explained} stamped={row.address} />
      <p class="calm">From the request of {instant(explained.examined_ms)}.</p>
    </>
  );
}

const EVERY_MS = 5_000;
