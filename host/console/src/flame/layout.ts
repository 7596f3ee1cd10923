// Where each span of a trace stands: roots on top, each child below its parent in the first lane where its time is free.

import type { Span, Trace } from "../data/contract";

export interface Bar {
  span: Span;
  /** Its place among the trace's spans. */
  index: number;
  lane: number;
  start: number;
  end: number;
  parent: Bar | null;
  /** By start. */
  children: Bar[];
  /** It names a parent that the trace does not have. */
  orphan: boolean;
  /** How far it begins before its parent or ends after it, nanoseconds: the clocks disagree, or nobody waited for it. */
  outside: { before: number; after: number } | null;
}

export interface Layout {
  bars: Bar[];
  /** The bars of each lane, by start: they do not overlap but for what is too short to be drawn. */
  lanes: Bar[][];
  roots: Bar[];
  start: number;
  end: number;
}

export function layOut(trace: Trace): Layout {
  const bars = trace.spans.map((span, index): Bar => ({
    span, index, lane: 0, start: span.start_ns, end: span.start_ns + Math.max(0, span.duration_ns), parent: null, children: [], orphan: false, outside: null,
  }));
  const roots = join(bars);
  const start = bars.reduce((least, bar) => Math.min(least, bar.start), 0);
  const end = bars.reduce((most, bar) => Math.max(most, bar.end), start + 1);
  const lanes = new Lanes((end - start) / FINEST);
  for (const bar of inOrder(roots)) lanes.place(bar, bar.parent === null ? 0 : bar.parent.lane + 1);
  return { bars, lanes: lanes.bars, roots, start, end };
}

/** How long nothing of a span's children runs, nanoseconds. */
export function ownTime(bar: Bar): number {
  let own = bar.end - bar.start;
  let until = bar.start;
  for (const child of bar.children) {
    const from = Math.max(child.start, until, bar.start);
    const to = Math.min(child.end, bar.end);
    if (to > from) {
      own -= to - from;
      until = to;
    }
  }
  return own;
}

/** Finds each bar's parent, and gives the bars without one. */
function join(bars: Bar[]): Bar[] {
  const byId = new Map<string, Bar>();
  for (const bar of bars) if (!byId.has(bar.span.id)) byId.set(bar.span.id, bar);
  const roots: Bar[] = [];
  for (const bar of bars) {
    const parent = bar.span.parent === "" ? undefined : byId.get(bar.span.parent);
    bar.orphan = bar.span.parent !== "" && parent === undefined;
    if (parent === undefined) {
      roots.push(bar);
      continue;
    }
    bar.parent = parent;
    parent.children.push(bar);
  }
  roots.push(...cutCircles(bars, roots));
  for (const bar of bars) {
    if (bar.parent === null) continue;
    const before = Math.max(0, bar.parent.start - bar.start);
    const after = Math.max(0, bar.end - bar.parent.end);
    if (before > 0 || after > 0) bar.outside = { before, after };
  }
  const byStart = (one: Bar, other: Bar) => one.start - other.start || other.end - one.end || one.index - other.index;
  for (const bar of bars) bar.children.sort(byStart);
  return roots.sort(byStart);
}

/** Foreign spans may name each other as parents. One of each such circle becomes a root; its parent counts as missing. */
function cutCircles(bars: Bar[], roots: Bar[]): Bar[] {
  const reached = new Set(inOrder(roots));
  const cut: Bar[] = [];
  for (const bar of bars) {
    if (reached.has(bar)) continue;
    const siblings = bar.parent?.children ?? [];
    siblings.splice(siblings.indexOf(bar), 1);
    bar.parent = null;
    bar.orphan = true;
    cut.push(bar);
    for (const below of inOrder([bar])) reached.add(below);
  }
  return cut;
}

/** Parents before their children, a whole subtree before the next one. */
function* inOrder(roots: Bar[]): Generator<Bar> {
  const stack = [...roots].reverse();
  for (let bar = stack.pop(); bar !== undefined; bar = stack.pop()) {
    yield bar;
    for (let index = bar.children.length - 1; index >= 0; index -= 1) stack.push(bar.children[index] as Bar);
  }
}

class Lanes {
  readonly bars: Bar[][] = [];

  /** A span shorter than `shortest` takes as much room as that, so that it can be seen. */
  constructor(private readonly shortest: number) {}

  place(bar: Bar, from: number): void {
    for (let lane = from; ; lane += 1) {
      const bars = (this.bars[lane] ??= []);
      const at = after(bars, bar.start);
      if (this.ends(bars[at - 1]) <= bar.start && this.ends(bar) <= (bars[at]?.start ?? Infinity)) {
        bars.splice(at, 0, bar);
        bar.lane = lane;
        return;
      }
    }
  }

  private ends(bar: Bar | undefined): number {
    return bar === undefined ? -Infinity : Math.max(bar.end, bar.start + this.shortest);
  }
}

/** How many bars of a lane begin at `time` or before. */
export function after(bars: Bar[], time: number): number {
  let low = 0;
  let high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bars[middle] as Bar).start <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The part of the trace that the shortest span takes: a pixel or so where the whole trace is shown. */
const FINEST = 2_000;
