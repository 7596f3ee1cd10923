// The flame graph: one bar for each span, at its time. Only what is in sight is drawn.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Trace } from "../data/contract";
import { nanoseconds } from "../format";
import { visibleText, beginning } from "../parts/characters";
import { Text } from "../parts/text";
import { Axis } from "./axis";
import type { Bar, Layout } from "./layout";
import { piecesOf, type Piece, type View } from "./pieces";
import { isPodless, type TracedService } from "./services";

export interface Range {
  from: number;
  to: number;
}

export function Graph({ trace, layout, named, chosen, range, onChoose, onRange }: {
  trace: Trace;
  layout: Layout;
  named: Map<string, TracedService>;
  chosen: Bar;
  range: Range;
  onChoose: (bar: Bar) => void;
  onRange: (range: Range) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [lanes, setLanes] = useState({ from: 0, to: 40 });
  /** Whether the keyboard moves in the graph: the chosen bar then takes the focus. */
  const moves = useRef(false);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => {
      setWidth(element.clientWidth);
      look(element);
    };
    const look = ({ scrollTop, clientHeight }: HTMLElement) => {
      // In steps, so that it is not drawn anew with each lane that is scrolled by.
      const from = Math.max(0, Math.floor(scrollTop / LANE / SPARE) - 1) * SPARE;
      const to = (Math.ceil((scrollTop + clientHeight) / LANE / SPARE) + 1) * SPARE;
      setLanes((was) => (was.from === from && was.to === to ? was : { from, to }));
    };
    const onScroll = () => look(element);
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", onScroll, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const top = chosen.lane * LANE;
    if (top < element.scrollTop) element.scrollTop = Math.max(0, top - LANE);
    else if (top + LANE > element.scrollTop + element.clientHeight) element.scrollTop = top + 2 * LANE - element.clientHeight;
  }, [chosen]);

  useLayoutEffect(() => {
    if (moves.current) box.current?.querySelector<HTMLElement>("[data-chosen]")?.focus({ preventScroll: true });
  }, [chosen, lanes, range, width]);

  const view: View = { ...range, width };
  const drawn = useMemo(() => {
    if (width === 0) return [];
    const shown = layout.lanes.slice(lanes.from, lanes.to);
    return piecesOf(shown, view, chosen).map((pieces, index) => ({ lane: lanes.from + index, pieces }));
  }, [layout, lanes, range.from, range.to, width, chosen]);
  const isChosenDrawn = drawn.some(({ pieces }) => pieces.some((piece) => piece.kind === "bar" && piece.bar === chosen));

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const next = goal(event.key, chosen, layout);
    if (next !== undefined) {
      event.preventDefault();
      moves.current = true;
      const to = next ?? chosen;
      onChoose(to);
      if (to.end < range.from || to.start > range.to) onRange(around(to, range, layout));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onRange(zoomed(chosen, layout));
    } else if (event.key === "Escape") {
      onRange({ from: layout.start, to: layout.end });
    } else if (event.key === "+" || event.key === "-") {
      onRange(scaled(range, event.key === "+" ? 0.5 : 2, (chosen.start + chosen.end) / 2, layout));
    }
  };

  return (
    <div class="flame">
      <Axis view={view} />
      <div class="flame-box" ref={box} onKeyDown={onKeyDown} onFocusIn={() => (moves.current = true)} onFocusOut={() => (moves.current = false)}>
        <div
          class="flame-lanes"
          role="tree"
          aria-label={`Flame graph of ${trace.spans.length} spans. Arrow keys move to parents, children and siblings; Enter zooms in, Escape out.`}
          tabIndex={isChosenDrawn ? -1 : 0}
          style={{ height: `${layout.lanes.length * LANE}px` }}
        >
          {drawn.map(({ lane, pieces }) =>
            pieces.map((piece, index) => (
              <Drawn
                key={piece.kind === "bar" ? piece.bar.index : `merged-${lane}-${index}`}
                piece={piece}
                before={index === 0 ? 0 : end(pieces[index - 1])}
                lane={lane}
                trace={trace}
                named={named}
                chosen={chosen}
                view={view}
                onPick={(bar) => {
                  onChoose(bar);
                  onRange(zoomed(bar, layout));
                }}
                onRange={onRange}
              />
            )),
          )}
        </div>
      </div>
    </div>
  );
}

function Drawn({ piece, before, lane, trace, named, chosen, view, onPick, onRange }: {
  piece: Piece;
  /** Where the piece before ends, pixels. */
  before: number;
  lane: number;
  trace: Trace;
  named: Map<string, TracedService>;
  chosen: Bar;
  view: View;
  onPick: (bar: Bar) => void;
  onRange: (range: Range) => void;
}) {
  const place = { left: `${piece.left}px`, top: `${lane * LANE}px`, width: `${piece.width}px` };
  if (piece.kind === "merged") {
    return (
      <div
        class="bar merged"
        style={place}
        data-merged={piece.bars.length}
        role="presentation"
        title={`${piece.bars.length} spans, too short to be drawn one by one: click to zoom in`}
        onClick={() => onRange(widened(piece.from, piece.to, MERGED_ROOM))}
      />
    );
  }
  const { bar } = piece;
  const { span, parent } = bar;
  const resource = trace.resources[span.resource];
  const service = named.get(resource?.service ?? "");
  const podless = isPodless(resource);
  const isChosen = bar === chosen;
  // Before a child starts, its parent does something else, or the request is on its way.
  const gap = parent === null ? 0 : bar.start - parent.start;
  const gapLeft = Math.max(before, parent === null ? 0 : (parent.start - view.from) * (view.width / (view.to - view.from)), 0);
  const isRead = piece.width > READABLE;
  // The text of a bar is its name; one without room for text needs another.
  const label = `${podless ? "no pod, " : ""}${span.error ? "error, " : ""}${resource?.service ?? ""} ${span.name}, ${nanoseconds(span.duration_ns)}${bar.outside ? ", outside of its parent" : ""}${bar.orphan ? ", parent missing" : ""}`;
  return (
    <>
      {gap > 0 && piece.left - gapLeft > 3 && (
        <div class="gap" aria-hidden="true" style={{ left: `${gapLeft}px`, top: `${lane * LANE}px`, width: `${piece.left - gapLeft}px` }} />
      )}
      <div
        class={`bar ${service?.colour ?? ""}${podless ? " podless" : ""}${span.error ? " error" : ""}${bar.outside ? " outside" : ""}${bar.orphan ? " orphan" : ""}${isChosen ? " chosen" : ""}`}
        style={place}
        role="treeitem"
        aria-label={isRead ? undefined : visibleText(beginning(label, 300))}
        aria-level={depth(bar)}
        aria-selected={isChosen}
        tabIndex={isChosen ? 0 : -1}
        data-chosen={isChosen ? "" : undefined}
        data-span={span.id}
        data-start={span.start_ns}
        data-duration={span.duration_ns}
        data-lane={lane}
        data-gap={parent === null ? undefined : gap}
        onClick={() => onPick(bar)}
      >
        {isRead && (
          <span class="bar-text" style={{ left: `${Math.max(0, -piece.left)}px` }}>
            {span.error && <Sign sign="✕" word="error" />}
            {bar.orphan && <Sign sign="⤒" word="parent missing" />}
            {bar.outside && <Sign sign="⇄" word="outside of its parent" />}
            {podless && <b>no pod </b>}
            <b><Text value={resource?.service ?? ""} max={40} /></b> <Text value={span.name} max={120} /> <span class="bar-time">{nanoseconds(span.duration_ns)}</span>
            {resource?.pod && <span class="bar-pod"> <Text value={resource.pod} max={64} /> {resource.address !== "" && <Text value={resource.address} max={45} />}</span>}
          </span>
        )}
      </div>
    </>
  );
}

function Sign({ sign, word }: { sign: string; word: string }) {
  return <><b aria-hidden="true">{sign} </b><span class="hidden">{word}, </span></>;
}

/** Where a key leads; `null` stays, `undefined` is no key of movement. */
function goal(key: string, from: Bar, layout: Layout): Bar | null | undefined {
  const siblings = from.parent?.children ?? layout.roots;
  const at = siblings.indexOf(from);
  switch (key) {
    case "ArrowUp": return from.parent;
    case "ArrowDown": return from.children[0] ?? null;
    case "ArrowLeft": return siblings[at - 1] ?? null;
    case "ArrowRight": return siblings[at + 1] ?? null;
    case "Home": return layout.roots[0] ?? null;
    case "End": return siblings.at(-1) ?? null;
    default: return undefined;
  }
}

function zoomed(bar: Bar, layout: Layout): Range {
  if (bar === layout.roots[0] && layout.roots.length === 1) return { from: layout.start, to: layout.end };
  return widened(bar.start, bar.end, 0);
}

function widened(from: number, to: number, room: number): Range {
  const length = Math.max(to - from, SHORTEST);
  return { from: from - length * room, to: from + length * (1 + room) };
}

/** The same length, moved so that the bar is in sight. */
function around(bar: Bar, range: Range, layout: Layout): Range {
  const length = Math.max(range.to - range.from, bar.end - bar.start);
  const from = Math.max(layout.start, Math.min(bar.start - length * 0.1, layout.end - length));
  return { from, to: from + length };
}

function scaled(range: Range, factor: number, middle: number, layout: Layout): Range {
  const length = Math.min(layout.end - layout.start, Math.max(SHORTEST, (range.to - range.from) * factor));
  const from = Math.max(layout.start, Math.min(middle - length / 2, layout.end - length));
  return { from, to: from + length };
}

function depth(bar: Bar): number {
  let level = 1;
  for (let at = bar.parent; at !== null; at = at.parent) level += 1;
  return level;
}

function end(piece: Piece | undefined): number {
  return piece === undefined ? 0 : piece.left + piece.width;
}

/** Pixels; the style sheet has the same. */
const LANE = 22;
/** Narrower bars have no text, pixels. */
const READABLE = 14;
/** Lanes that are drawn above and below what is in sight. */
const SPARE = 6;
/** Nothing is zoomed further than to so many nanoseconds. */
const SHORTEST = 200;
const MERGED_ROOM = 0.2;
