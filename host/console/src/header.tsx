// The line at the top: which podstamp this is, how it is, and whether the page still hears from it.

import { stream } from "./data/events";
import { paused, usePaused } from "./data/paused";
import { useStore } from "./data/store";
import { theme, type Theme } from "./data/theme";
import { seconds, time } from "./format";
import { Mark } from "./parts/mark";
import { Text } from "./parts/text";

export function Header() {
  const live = useStore(stream, ({ live }) => live);
  const isPaused = usePaused();
  const chosen = useStore(theme);
  return (
    <header class="top">
      <a class="brand" href="#/live">podstamp</a>
      {live && (
        <span class="top-facts">
          <span>{live.version}</span>
          <span title={`instance ${live.instance}`}>up {seconds(Math.floor(live.uptime_seconds))}</span>
          {live.ready ? <Mark tone="good">ready</Mark> : <Mark tone="bad">not ready</Mark>}
        </span>
      )}
      <ConnectionState />
      <span class="top-tools">
        <button type="button" class="small" aria-pressed={isPaused} onClick={() => paused.set(!isPaused)}>Pause</button>
        <label class="theme">
          <span class="hidden">Colours</span>
          <select value={chosen} onChange={(event) => theme.set(event.currentTarget.value as Theme)}>
            <option value="system">System</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
        </label>
      </span>
    </header>
  );
}

/** Told to screen readers when it changes, not with each point. */
function ConnectionState() {
  const connection = useStore(stream, ({ connection }) => connection);
  const lostMs = useStore(stream, ({ lostMs }) => lostMs);
  const restartedMs = useStore(stream, ({ restartedMs }) => restartedMs);
  return (
    <span class="connection" role="status" data-connection={connection}>
      {connection === "lost" && <Mark tone="bad">connection lost{lostMs !== null && ` at ${time(lostMs)}`}, trying</Mark>}
      {connection === "connecting" && <Mark tone="plain">connecting</Mark>}
      {connection === "paused" && <Mark tone="warning">paused</Mark>}
      {connection === "open" && (restartedMs === null ? <Mark tone="good">live</Mark> : <Mark tone="good">live, podstamp restarted at {time(restartedMs)}</Mark>)}
    </span>
  );
}

/** Why podstamp is not ready, where it is not. */
export function NotReady() {
  const reason = useStore(stream, ({ live }) => (live && !live.ready ? (live.not_ready_because ?? "it does not say why") : null));
  if (reason === null) return null;
  return <p class="failed" role="alert"><Mark tone="bad">not ready</Mark> <Text value={reason} max={600} /></p>;
}
