// The pods that podstamp knows.

import { useState } from "preact/hooks";
import { useAsked } from "../data/ask";
import type { Explanation, Pod, Pods as Answer } from "../data/contract";
import { stream } from "../data/events";
import { useStore } from "../data/store";
import { count, seconds } from "../format";
import { Mark } from "../parts/mark";
import { Failed, Panel, Waiting } from "../parts/notice";
import { PodStates } from "../parts/pod_states";
import { Table } from "../parts/table";
import { None, Text, WholeText } from "../parts/text";
import { address, type Route } from "../route";

export function Pods({ route }: { route: Route }) {
  const instance = useStore(stream, ({ live }) => live?.instance ?? "");
  const wanted = route.query.get("q") ?? "";
  const [shown, setShown] = useState({ wanted, limit: PAGE });
  const limit = shown.wanted === wanted ? shown.limit : PAGE;
  const query = new URLSearchParams({ q: wanted, limit: String(limit) });
  const { answer, error, again } = useAsked<Answer>(`console/pods?${query}`, EVERY_MS, instance);
  const search = (form: HTMLFormElement) => {
    const value = new FormData(form).get("q");
    location.hash = address("pods", null, { q: typeof value === "string" ? value.trim() : "" });
  };
  return (
    <Panel id="pods" title="Pods" note={answer && `${count(answer.known)} known`}>
      {answer && <State answer={answer} />}
      <form
        key={wanted}
        class="filter"
        role="search"
        aria-label="Pods"
        onSubmit={(event) => {
          event.preventDefault();
          search(event.currentTarget);
        }}
      >
        <label>Name, address or uid <input name="q" type="search" defaultValue={wanted} /></label>
        <button type="submit">Search</button>
        {wanted !== "" && <a href={address("pods")}>Show all</a>}
      </form>
      <Failed error={error} again={again} />
      {!answer && error === null && <Waiting what="the pods" />}
      {wanted !== "" && <Why what={wanted} instance={instance} />}
      {answer && (
        <>
          <p class="calm" role="status">{answer.matching > answer.pods.length ? `${count(answer.matching)} match, ${count(answer.pods.length)} are shown` : `${count(answer.matching)} match`}</p>
          {answer.pods.length > 0 && <Rows pods={answer.pods} />}
          {answer.matching > answer.pods.length && <p><button type="button" onClick={() => setShown({ wanted, limit: limit + PAGE })}>Show more</button></p>}
        </>
      )}
    </Panel>
  );
}

function State({ answer }: { answer: Answer }) {
  return (
    <p class="summary">
      <span>From <Text value={answer.source} max={200} /></span>
      <Mark tone={answer.healthy ? "good" : "bad"}><Text value={answer.state} max={400} /></Mark>
      {answer.age_seconds !== null && <span>last heard {answer.age_seconds < 1.5 ? "now" : `${seconds(Math.round(answer.age_seconds))} ago`}</span>}
      <span class="aside">{answer.covers_cluster ? "all pods of the cluster" : "some pods of the cluster: of the others podstamp does not know whether they are there"}</span>
    </p>
  );
}

/** What lookups make of the text that is searched for. */
function Why({ what, instance }: { what: string; instance: string }) {
  const { answer } = useAsked<Explanation>(`pods/${encodeURIComponent(what)}`, null, instance);
  if (!answer || typeof answer.message !== "string") return null;
  return (
    <div class="why">
      <p><Mark tone={answer.outcome === "found" ? "good" : "warning"}>as a lookup</Mark> <WholeText value={answer.message} max={600} /></p>
      {answer.advice && <p><WholeText value={answer.advice} max={1_000} /></p>}
    </div>
  );
}

function Rows({ pods }: { pods: Pod[] }) {
  return (
    <Table
      caption="Pods"
      rows={pods}
      rowKey={({ uid, namespace, name }) => uid || `${namespace}/${name}`}
      rowData={({ name }) => ({ "data-pod": name.slice(0, 300) })}
      columns={[
        { title: "Pod", heads: true, cell: ({ namespace, name }) => <><span class="aside"><Text value={namespace} max={64} />/</span><WholeText value={name} max={120} /></> },
        { title: "Addresses", cell: ({ ips }) => (ips.length === 0 ? <Mark tone="warning">none yet</Mark> : ips.map((ip, index) => <>{index > 0 && ", "}<span class="number"><Text value={ip} max={45} /></span></>)) },
        { title: "State", cell: (pod) => <span class="marks"><Text value={pod.phase ?? ""} max={32} /><PodStates pod={pod} /></span> },
        { title: "Deployment", cell: ({ deployment }) => (deployment ? <Text value={deployment} max={64} /> : <None />) },
        { title: "Node", cell: ({ node }) => (node ? <Text value={node} max={64} /> : <None />) },
        { title: "UID", cell: ({ uid }) => (uid ? <span class="uid"><Text value={uid} max={64} /></span> : <None />) },
      ]}
    />
  );
}

const EVERY_MS = 5_000;
const PAGE = 100;
