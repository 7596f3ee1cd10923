// What the page calls things, and what it says about them.

import type { Found } from "./data/contract";

/** How bad something is. Each has a sign, a colour and a word. */
export type Tone = "good" | "plain" | "warning" | "bad";

interface Meaning {
  word: string;
  tone: Tone;
  /** One sentence for those who do not know the word. */
  about: string;
}

export const FOUND: Record<Found, Meaning> = {
  kept: { word: "kept", tone: "good", about: "The resource came with an app.host.ip that podstamp could believe." },
  pipeline: { word: "pipeline", tone: "good", about: "A processor of the configuration set app.host.ip." },
  pod_ip: { word: "pod IP", tone: "good", about: "The resource came with its pod's address, k8s.pod.ip." },
  pod: { word: "pod", tone: "good", about: "Attributes of the resource led to exactly one pod." },
  connection: { word: "connection", tone: "good", about: "The connection came from the pod's own address." },
  unknown: { word: "unknown", tone: "bad", about: "Nothing led to a pod: stamped as unknown, 0.0.0.0." },
  contradicted: { word: "contradicted", tone: "bad", about: "What the resource says of itself leads to different pods: stamped as unknown, 0.0.0.0." },
  untouched: { word: "untouched", tone: "bad", about: "No guard runs for this signal, and nothing set app.host.ip." },
};

export function found(value: string): Meaning {
  return FOUND[value as Found] ?? { word: value, tone: "plain", about: "" };
}

/** Whether spans that were found so are no pod's to DeepFlow. */
export function isPodless(value: string): boolean {
  return ["unknown", "contradicted", "untouched"].includes(value);
}

export const ANSWERS: Record<string, Meaning> = {
  found: { word: "found", tone: "good", about: "exactly one pod has it" },
  ambiguous: { word: "ambiguous", tone: "bad", about: "several pods have it" },
  node: { word: "a node", tone: "bad", about: "it is a node's address, which many pods may have" },
  ignored: { word: "ignored", tone: "warning", about: "the pod is not to be found: it is excluded, filtered or annotated so" },
  absent: { word: "no such pod", tone: "bad", about: "podstamp knows all pods, and none has it" },
  unknown: { word: "not known", tone: "bad", about: "podstamp does not know all pods, and none that it knows has it" },
};

export const OUTCOMES: readonly { key: string; word: string; about: string }[] = [
  { key: "accepted", word: "accepted", about: "deepflow-agent took it" },
  { key: "queued", word: "queued", about: "acknowledged, and waiting for the agent" },
  { key: "refused", word: "refused", about: "podstamp or the agent will not take it, however often it is sent" },
  { key: "failed", word: "failed", about: "not delivered; the client may send it again" },
  { key: "cancelled", word: "cancelled", about: "the client went away before its answer" },
];

export const LEVELS: Record<string, { word: string; tone: Tone }> = {
  error: { word: "error", tone: "bad" },
  fault: { word: "fault", tone: "bad" },
  warning: { word: "warning", tone: "warning" },
  warn: { word: "warning", tone: "warning" },
  info: { word: "note", tone: "plain" },
  note: { word: "note", tone: "plain" },
};

export function level(value: string): { word: string; tone: Tone } {
  return LEVELS[value.toLowerCase()] ?? { word: value, tone: "plain" };
}
