// What decided about a resource: shared by the explanation of a service and the box for one request.

import type { Change, Lookup, Pod, Reasons } from "../../data/contract";
import { Snippet } from "../../parts/copy";
import { Mark } from "../../parts/mark";
import { PodStates } from "../../parts/pod_states";
import { Table } from "../../parts/table";
import { None, Text, WholeText } from "../../parts/text";
import { ANSWERS } from "../../words";

export function ReasonsGiven({ reasons, stamped }: { reasons: Reasons; stamped: string }) {
  return (
    <div class="reasons">
      <p class="verdict"><WholeText value={reasons.verdict} max={1_000} /></p>
      {reasons.advice.length > 0 && (
        <>
          <h3>What would make it right</h3>
          <ol class="advice">
            {reasons.advice.map(({ title, text, snippet }) => (
              <li>
                <h4><Text value={title} max={200} /></h4>
                <p><WholeText value={text} max={2_000} /></p>
                {snippet !== null && <Snippet text={snippet} label={title} />}
              </li>
            ))}
          </ol>
        </>
      )}
      <h3>What the resource says of itself</h3>
      {reasons.claims.length === 0 ? (
        <p class="calm">Nothing that identifies a pod.</p>
      ) : (
        <dl class="attributes">
          {reasons.claims.map(({ key, value }) => (
            <div><dt><Text value={key} max={120} /></dt><dd><WholeText value={value} /></dd></div>
          ))}
        </dl>
      )}
      <p>
        {reasons.connection ? <>The connection came from <span class="number"><Text value={reasons.connection} /></span>.</> : "Whom the connection came from is not known."}
      </p>
      <h3>Lookups</h3>
      {reasons.lookups.length === 0 ? <p class="calm">None was needed.</p> : <ol class="lookups">{reasons.lookups.map((lookup) => <li><OneLookup lookup={lookup} /></li>)}</ol>}
      {reasons.pod && <ThePod pod={reasons.pod} />}
      <h3>What changed</h3>
      {reasons.changes.length === 0 ? <p class="calm">Nothing: the resource left as it came.</p> : <Changes changes={reasons.changes} />}
      <h3>What the Collector would have stamped</h3>
      <p>
        {reasons.collector.differs ? <Mark tone="warning">something else</Mark> : <Mark tone="good">{reasons.collector.address ? "the same" : "no pod either"}</Mark>}{" "}
        {(reasons.collector.differs || reasons.collector.address) && <span class="number">{reasons.collector.address ? <Text value={reasons.collector.address} /> : <None word="no address" />}</span>}
        {reasons.collector.pod && <>, the pod <Text value={reasons.collector.pod} max={200} /></>}
        {reasons.collector.differs && <>; podstamp stamps <span class="number">{stamped ? <Text value={stamped} /> : "no address"}</span></>}
      </p>
    </div>
  );
}

function OneLookup({ lookup }: { lookup: Lookup }) {
  const answer = ANSWERS[lookup.answer] ?? { word: lookup.answer, tone: "plain" as const, about: "" };
  return (
    <>
      {lookup.terms.map((term, index) => <>{index > 0 && " and "}<code><WholeText value={term} max={160} /></code></>)}{" "}
      <Mark tone={answer.tone} title={answer.about}>{answer.word}</Mark>
      {lookup.pod !== null ? <> <Text value={lookup.pod} max={200} /></> : answer.about !== "" && <span class="aside"> {answer.about}</span>}
    </>
  );
}

function ThePod({ pod }: { pod: Pod }) {
  return (
    <>
      <h3>The pod</h3>
      <dl class="facts">
        <dt>Name</dt>
        <dd><span class="aside"><Text value={pod.namespace} />/</span><Text value={pod.name} max={260} /></dd>
        <dt>Addresses</dt>
        <dd class="number">{pod.ips.length === 0 ? <None /> : pod.ips.map((address, index) => <>{index > 0 && ", "}<Text value={address} /></>)}</dd>
        {pod.uid && <><dt>UID</dt><dd class="number"><Text value={pod.uid} /></dd></>}
        {pod.node && <><dt>Node</dt><dd><Text value={pod.node} max={260} /></dd></>}
        {pod.deployment && <><dt>Deployment</dt><dd><Text value={pod.deployment} max={260} /></dd></>}
        <dt>State</dt>
        <dd class="marks"><Text value={pod.phase ?? ""} max={32} /><PodStates pod={pod} /></dd>
      </dl>
    </>
  );
}

function Changes({ changes }: { changes: Change[] }) {
  return (
    <Table
      caption="Attributes that changed"
      rows={changes}
      rowKey={({ key }) => key}
      columns={[
        { title: "Attribute", heads: true, cell: ({ key }) => <Text value={key} max={120} /> },
        { title: "Before", cell: ({ before }) => (before === null ? <None word="not there" /> : <WholeText value={before} max={200} />) },
        { title: "After", cell: ({ after }) => (after === null ? <None word="removed" /> : <WholeText value={after} max={200} />) },
      ]}
    />
  );
}
