// What sets a pod apart from one that simply runs.

import type { Pod } from "../data/contract";
import { Mark } from "./mark";

export function PodStates({ pod }: { pod: Pod }) {
  return <>{pod.states?.map((state) => <Mark tone="warning" title={STATES[state]?.about}>{STATES[state]?.word ?? state}</Mark>)}</>;
}

const STATES: Record<string, { word: string; about: string }> = {
  host_network: { word: "host network", about: "It is on its node's network: its address is the node's, and not stamped." },
  ended: { word: "ended", about: "It has run to its end, and given its addresses back." },
  deleted: { word: "being deleted", about: "Kubernetes was told to delete it." },
  ignored: { word: "ignored", about: "It carries the annotation by which it is not to be found." },
  excluded: { word: "excluded", about: "The configuration's exclude.pods names it." },
  filtered: { word: "filtered", about: "It does not meet the configuration's filter." },
};
