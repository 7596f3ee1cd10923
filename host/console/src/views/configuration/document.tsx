// A document line by line, with notices beside the lines that they are about.

import type { Line, PlacelessNotice } from "../../data/contract";
import { LevelMark } from "../../parts/mark";
import { Text, WholeText } from "../../parts/text";

export function Document({ lines, label }: { lines: Line[]; label: string }) {
  return (
    <ol class="document" tabIndex={0} aria-label={label}>
      {lines.map(({ text, notices = [] }, index) => (
        <li class={notices.length > 0 ? "line noted" : "line"} data-line={index + 1}>
          <span class="line-number" aria-hidden="true">{index + 1}</span>
          <code class="line-text"><Text value={text} max={LONGEST} /></code>
          {notices.length > 0 && (
            <ul class="line-notices">
              {notices.map(({ level, message }) => <li><LevelMark value={level} /> <WholeText value={message} max={600} /></li>)}
            </ul>
          )}
        </li>
      ))}
    </ol>
  );
}

/** Notices that belong to no line. */
export function Placeless({ notices }: { notices: PlacelessNotice[] }) {
  if (notices.length === 0) return null;
  return (
    <ul class="placeless">
      {notices.map(({ level, message, path }) => (
        <li><LevelMark value={level} /> {path && <><code><Text value={path} max={200} /></code> </>}<WholeText value={message} max={600} /></li>
      ))}
    </ul>
  );
}

/** Characters of a line that are shown. */
const LONGEST = 500;
