// What podstamp does now, and what is wrong.

import type { Live as Point } from "../data/contract";
import { SECONDS, stream } from "../data/events";
import { useStore } from "../data/store";
import { bytes, count, milliseconds, rate } from "../format";
import { NotReady } from "../header";
import { Panel, Waiting } from "../parts/notice";
import { Plot, type PlotLine } from "../parts/plot";
import { FOUND, OUTCOMES } from "../words";
import { Agents } from "./live/agents";
import { Notices } from "./live/notices";
import { PodTable } from "./live/pod_table";
import { Queues } from "./live/queues";

export function Live() {
  const live = useStore(stream, ({ live }) => live);
  const all = useStore(stream, ({ points }) => points);
  if (!live) return <Waiting what="the first point" />;
  const points = all.filter(({ now_ms }) => live.now_ms - now_ms <= SECONDS * 1000);
  // As far as the points reach, by the minute.
  const minutes = Math.min(SECONDS / 60, Math.max(1, Math.ceil(Math.max(...ages(points), 0) / 60)));
  const seconds = minutes * 60;
  return (
    <div class="live">
      <NotReady />
      <Notices notices={live.notices ?? []} podless={podless(points)} nowMs={live.now_ms} />
      <Panel id="flow" title="Flow" note={minutes === 1 ? "the last minute" : `the last ${minutes} minutes`}>
        <div class="plots">
          <Figure title="Requests" value={`${rate(live.requests_per_second)} /s`} note={`${count(live.totals.requests)} in all`} points={points} seconds={seconds} of={(point) => point.requests_per_second} />
          <Figure title="Spans" value={`${rate(live.spans_per_second)} /s`} note={`${count(live.totals.spans)} in all`} points={points} seconds={seconds} of={(point) => point.spans_per_second} />
          <Figure title="Bytes" value={`${bytes(live.bytes_per_second)}/s`} note="of bodies" points={points} seconds={seconds} of={(point) => point.bytes_per_second} />
          <Figure
            title="Latency"
            value={live.latency_ms ? `${live.latency_ms.p50_over ? "over " : ""}${milliseconds(live.latency_ms.p50)}` : "no requests"}
            note={live.latency_ms ? latencyNote(live.latency_ms) : "nothing to measure"}
            points={points}
            seconds={seconds}
            of={(point) => point.latency_ms?.p50 ?? null}
            dashed={(point) => point.latency_ms?.p99 ?? null}
          />
          {live.memory_bytes !== null && <Figure title="Memory" value={bytes(live.memory_bytes)} note="of the process" points={points} seconds={seconds} of={(point) => point.memory_bytes} />}
        </div>
      </Panel>
      <div class="live-panels">
        <Panel id="outcomes" title="What became of requests" note="requests per second">
          <Rates points={points} seconds={seconds} live={live} of={(point) => point.outcomes} rows={OUTCOMES} />
        </Panel>
        <Panel id="addresses" title="How addresses were found" note="resources per second">
          <Rates
            points={points}
            seconds={seconds}
            live={live}
            of={(point) => point.addresses}
            rows={Object.entries(FOUND).filter(([key]) => key !== "untouched").map(([key, { word, about }]) => ({ key, word, about }))}
          />
        </Panel>
        <Queues queues={live.queues} />
        <Agents agents={live.agents} />
        <PodTable pods={live.pods} />
      </div>
    </div>
  );
}

function Figure({ title, value, note, points, seconds, of, dashed }: {
  title: string;
  value: string;
  note: string;
  points: Point[];
  seconds: number;
  of: (point: Point) => number | null;
  dashed?: (point: Point) => number | null;
}) {
  const lines: PlotLine[] = [{ values: points.map(of) }];
  if (dashed) lines.push({ values: points.map(dashed), dashed: true });
  return (
    <figure class="figure">
      <figcaption>
        <span class="figure-title">{title}</span>
        <strong class="figure-value">{value}</strong>
        <span class="figure-note">{note}</span>
      </figcaption>
      <Plot lines={lines} at={ages(points)} seconds={seconds} label={`${title} over the last minutes; now ${value}`} />
    </figure>
  );
}

/** One small plot for each kind, so that no colour has to tell them apart. */
function Rates({ points, seconds, live, of, rows }: { points: Point[]; seconds: number; live: Point; of: (point: Point) => Record<string, number>; rows: readonly { key: string; word: string; about: string }[] }) {
  const at = ages(points);
  return (
    <dl class="rates">
      {rows.map(({ key, word, about }) => {
        const now = of(live)[key] ?? 0;
        const values = points.map((point) => of(point)[key] ?? 0);
        const quiet = values.every((value) => value === 0);
        return (
          <div class={quiet ? "rate quiet" : "rate"} data-rate={key}>
            <dt title={about}>{word}</dt>
            <dd>
              <Plot small lines={[{ values }]} at={at} seconds={seconds} label={`${word}, over the last minutes`} />
              <span class="rate-value">{rate(now)}</span>
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function latencyNote({ p50_over, p99, p99_over }: NonNullable<Point["latency_ms"]>): string {
  const half = p50_over ? "half are slower" : "half are faster";
  return `${half}; ${p99_over ? "1 of 100 takes over" : "99 of 100 below"} ${milliseconds(p99)} (dashed)`;
}

/** Resources per second that led to no pod, over the last points: some services send seldom. */
function podless(points: Point[]): number {
  const last = points.slice(-15);
  const sum = last.reduce((sum, { addresses }) => sum + (addresses.unknown ?? 0) + (addresses.contradicted ?? 0), 0);
  return last.length === 0 ? 0 : sum / last.length;
}

/** How many seconds before the newest point each was: they come seldom while nobody looks. */
function ages(points: Point[]): number[] {
  const newest = points.at(-1)?.now_ms ?? 0;
  return points.map(({ now_ms }) => (newest - now_ms) / 1000);
}
