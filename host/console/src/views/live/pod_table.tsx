// How the table of pods is.

import type { Live } from "../../data/contract";
import { count, seconds } from "../../format";
import { Mark } from "../../parts/mark";
import { Panel } from "../../parts/notice";
import { Text } from "../../parts/text";
import { address } from "../../route";

export function PodTable({ pods }: { pods: Live["pods"] }) {
  return (
    <Panel id="pod-table" title="Pods">
      <dl class="facts">
        <dt>Known</dt>
        <dd><a href={address("pods")}>{count(pods.known)} pods</a></dd>
        <dt>From</dt>
        <dd><Text value={pods.source} max={200} /></dd>
        <dt>State</dt>
        <dd><Mark tone={pods.healthy ? "good" : "bad"}><Text value={pods.state} max={400} /></Mark></dd>
        {pods.age_seconds !== null && <><dt>Last heard</dt><dd>{pods.age_seconds < 1.5 ? "now" : `${seconds(Math.round(pods.age_seconds))} ago`}</dd></>}
      </dl>
    </Panel>
  );
}
