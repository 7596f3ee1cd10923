// What is wrong now, in words.

import type { Notice } from "../../data/contract";
import { ago, count } from "../../format";
import { LevelMark, Mark } from "../../parts/mark";
import { Panel } from "../../parts/notice";
import { WholeText } from "../../parts/text";

export function Notices({ notices, nowMs }: { notices: Notice[]; nowMs: number }) {
  const notes = notices.filter(({ level }) => level === "info");
  const wrong = notices.filter(({ level }) => level !== "info");
  return (
    <Panel id="notices" title="What is wrong now">
      {wrong.length === 0 ? (
        <p class="calm"><Mark tone="good">nothing</Mark> that podstamp knows of</p>
      ) : (
        <List notices={wrong} nowMs={nowMs} />
      )}
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
