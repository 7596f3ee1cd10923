// The agents that podstamp sends to, and whether each can be reached.

import type { Agent } from "../../data/contract";
import { Mark } from "../../parts/mark";
import { Panel } from "../../parts/notice";
import { Text, WholeText } from "../../parts/text";
import type { Tone } from "../../words";

const STATES: Record<string, { word: string; tone: Tone }> = {
  up: { word: "up", tone: "good" },
  away: { word: "away", tone: "bad" },
  untried: { word: "not tried yet", tone: "plain" },
};

export function Agents({ agents }: { agents: Agent[] }) {
  return (
    <Panel id="agents" title="Agents">
      {agents.length === 0 && <p class="calm">No exporter has been used yet.</p>}
      <ul class="agents">
        {agents.map((agent) => (
          <li key={agent.url}>
            <code><Text value={agent.url} /></code>
            <ul class="addresses">
              {agent.addresses.length === 0 && <li><Mark tone="plain">no address resolved yet</Mark></li>}
              {agent.addresses.map(({ address, state, reason }) => {
                const { word, tone } = STATES[state] ?? { word: state, tone: "plain" as Tone };
                return (
                  <li key={address}>
                    <Mark tone={tone}>{word}</Mark> <span class="number"><Text value={address} /></span>
                    {reason && <span class="reason"> <WholeText value={reason} /></span>}
                  </li>
                );
              })}
            </ul>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
