// The stream of live points, across losses of the connection and restarts of podstamp.

import type { Live } from "./contract";
import { paused } from "./paused";
import { Store } from "./store";

export type Connection = "connecting" | "open" | "lost" | "paused";

export interface Stream {
  connection: Connection;
  /** Since when the connection is lost. */
  lostMs: number | null;
  /** Oldest first, the newest included; of the last `SECONDS`. */
  points: Live[];
  live: Live | null;
  /** When another instance was met than the one before. */
  restartedMs: number | null;
}

export const stream = new Store<Stream>({ connection: "connecting", lostMs: null, points: [], live: null, restartedMs: null });

/** Follows the stream for as long as the page is there. */
export function follow(): void {
  document.addEventListener("visibilitychange", () => (document.hidden ? hide() : show()));
  paused.follow(() => {
    stop();
    if (paused.value) stream.set({ ...stream.value, connection: "paused", lostMs: null });
    else open();
  });
  open();
}

let source: EventSource | null = null;
let retry = 0;
let watch = 0;
let hiding = 0;

function open(): void {
  stop();
  if (document.hidden || paused.value) return;
  const was = stream.value;
  if (was.connection !== "lost") stream.set({ ...was, connection: "connecting" });
  source = new EventSource("console/events");
  source.addEventListener("history", (event) => take(JSON.parse((event as MessageEvent<string>).data) as Live[]));
  source.addEventListener("live", (event) => add(JSON.parse((event as MessageEvent<string>).data) as Live));
  // The browser gives up by itself on some errors, and takes long over others: the page tries again in any case.
  source.addEventListener("error", lose);
  watch = window.setTimeout(lose, SILENCE_MS);
}

function stop(): void {
  source?.close();
  source = null;
  window.clearTimeout(retry);
  window.clearTimeout(watch);
}

function lose(): void {
  stop();
  const was = stream.value;
  stream.set({ ...was, connection: "lost", lostMs: was.lostMs ?? Date.now() });
  retry = window.setTimeout(open, RETRY_MS);
}

function heard(): void {
  window.clearTimeout(watch);
  watch = window.setTimeout(lose, SILENCE_MS);
}

function take(points: Live[]): void {
  heard();
  const was = stream.value;
  stream.set({ ...was, points });
}

function add(live: Live): void {
  heard();
  const was = stream.value;
  const another = was.live !== null && was.live.instance !== live.instance;
  const points = was.points.filter((point) => point.instance === live.instance && point.now_ms < live.now_ms && point.now_ms > live.now_ms - SECONDS * 1000);
  points.push(live);
  stream.set({
    connection: "open",
    lostMs: null,
    points,
    live,
    restartedMs: another ? Date.now() : was.restartedMs,
  });
}

/** A page that nobody sees costs podstamp nothing after a while. */
function hide(): void {
  window.clearTimeout(hiding);
  hiding = window.setTimeout(stop, HIDDEN_MS);
}

function show(): void {
  window.clearTimeout(hiding);
  if (!source && !paused.value) open();
}

/** Five minutes: what the plots show. */
export const SECONDS = 300;
/** A point comes each second. */
const SILENCE_MS = 6_000;
const RETRY_MS = 1_000;
const HIDDEN_MS = 30_000;
