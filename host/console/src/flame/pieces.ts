// What is drawn of a lane: bars that can be seen, and one piece for many that are narrower than a pixel.

import { after, type Bar } from "./layout";

export interface View {
  /** Nanoseconds since the trace's start. */
  from: number;
  to: number;
  /** Pixels. */
  width: number;
}

export type Piece =
  | { kind: "bar"; bar: Bar; left: number; width: number }
  | { kind: "merged"; bars: Bar[]; left: number; width: number; from: number; to: number };

/**
 * The pieces of each lane. Where they would be more than a browser draws in a moment, wider bars are merged as well: they are told
 * apart once one zooms in.
 */
export function piecesOf(lanes: Bar[][], view: View, chosen: Bar | null): Piece[][] {
  for (let narrow = NARROW; ; narrow *= 2) {
    const found = lanes.map((lane) => pieces(lane, view, chosen, narrow));
    const count = found.reduce((sum, pieces) => sum + pieces.length, 0);
    if (count <= MOST || narrow >= WIDEST) return found;
  }
}

/** The pieces of a lane, from left to right: bars below `narrow` pixels are merged, `chosen` never. */
function pieces(lane: Bar[], view: View, chosen: Bar | null, narrow: number): Piece[] {
  const scale = view.width / (view.to - view.from);
  const found: Piece[] = [];
  let run: Bar[] = [];
  const flush = () => {
    const first = run[0];
    const last = run.at(-1);
    if (first === undefined || last === undefined) return;
    if (run.length === 1) found.push(piece(first, view, scale));
    else {
      const left = (first.start - view.from) * scale;
      const width = Math.max(LEAST, (last.end - view.from) * scale - left);
      found.push({ kind: "merged", bars: run, left, width, from: first.start, to: last.end });
    }
    run = [];
  };
  // The bar before may reach into the view.
  for (let index = Math.max(0, after(lane, view.from) - 1); index < lane.length; index += 1) {
    const bar = lane[index] as Bar;
    if (bar.start > view.to) break;
    if (bar.end < view.from) continue;
    const isNarrow = (bar.end - bar.start) * scale < narrow && bar !== chosen;
    const last = run.at(-1);
    if (!isNarrow || (last !== undefined && (bar.start - last.end) * scale > APART)) flush();
    if (isNarrow) run.push(bar);
    else found.push(piece(bar, view, scale));
  }
  flush();
  return found;
}

function piece(bar: Bar, view: View, scale: number): Piece {
  // What lies far outside of the view is cut: browsers lose precision over millions of pixels.
  const from = Math.max(bar.start, view.from - (view.to - view.from));
  const to = Math.min(bar.end, view.to + (view.to - view.from));
  return { kind: "bar", bar, left: (from - view.from) * scale, width: Math.max(LEAST, (to - from) * scale) };
}

/** More pieces than this are not drawn at a time, while that can be helped. */
const MOST = 1_200;
/** Bars of so many pixels are drawn in any case: they may have a text. */
const WIDEST = 16;
/** Bars below this many pixels are merged with narrow neighbours. */
const NARROW = 1;
/** Narrow bars that are further apart than this many pixels stay apart. */
const APART = 2;
/** So wide is a bar at least. */
const LEAST = 1;
