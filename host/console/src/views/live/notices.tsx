// What is wrong now, in words.

import type { Notice } from "../../data/contract";
import { ago, count, rate } from "../../format";
import { LevelMark, Mark } from "../../parts/mark";
import { Panel } from "../../parts/notice";
import { WholeText } from "../../parts/text";
import { address } from "../../route";

/** `podless`: resources per second that lead to no pod. */
export function Notices({ notices, podless, nowMs }: { notices: Notice[]; podless: number; nowMs: number }) {
  const notes = notices.filter(({ level }) => level === "info");
  const wrong = notices.filter(({ level }) => level !== "info");
  return (
    <Panel id="notices" title="What is wrong now">
      {wrong.length === 0 && podless === 0 && <p class="calm"><Mark tone="good">nothing</Mark> that podstamp knows of</p>}
      {podless > 0 && (
        <div class="notice">
          <LevelMark value="warning" />
          <p>
            {rate(podless)} resources a second lead to no pod, and are stamped as unknown. <a href={address("who")}>Who</a> says of each service why, and what would make it right.
          </p>
          <span class="notice-times">now</span>
        </div>
      )}
      {wrong.length > 0 && <List notices={wrong} nowMs={nowMs} />}
      {notes.length > 0 && (
        <details class="notes">
          <summary>{count(notes.length)} {notes.length === 1 ? "note" : "notes"} besides</summary>
          <List notices={notes} nowMs={nowMs} />
        </details>
      )}
    </Panel>
  );
}

function List({ notices, nowMs }: { notices: Notice[]; nowMs: number }) {
  return (
    <ul class="notices">
      {notices.map((notice) => (
        <li key={notice.key} class="notice">
          <LevelMark value={notice.level} />
          <p><WholeText value={notice.message} max={1_000} /></p>
          <span class="notice-times">
            {notice.count > 1 ? `${count(notice.count)} times, last ` : ""}{ago(notice.last_ms, nowMs)}
          </span>
        </li>
      ))}
    </ul>
  );
}
