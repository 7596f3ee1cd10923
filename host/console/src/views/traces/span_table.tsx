// The spans as a table, for those who do not see the graph, and for reading one after the other.

import { useState } from "preact/hooks";
import type { Trace } from "../../data/contract";
import type { Bar, Layout } from "../../flame/layout";
import { isPodless } from "../../flame/services";
import { count, nanoseconds } from "../../format";
import { Mark } from "../../parts/mark";
import { Panel } from "../../parts/notice";
import { Table } from "../../parts/table";
import { None, Text } from "../../parts/text";

export function SpanTable({ trace, layout, chosen, onChoose }: { trace: Trace; layout: Layout; chosen: Bar; onChoose: (bar: Bar) => void }) {
  const [open, setOpen] = useState(false);
  const [page, setPage] = useState(0);
  const pages = Math.ceil(layout.bars.length / PAGE);
  const rows = open ? layout.bars.slice(page * PAGE, (page + 1) * PAGE) : [];
  const resource = ({ span }: Bar) => trace.resources[span.resource];
  return (
    <Panel id="spans" title="Spans as a table" note={<button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide" : "Show"}</button>}>
      {open && (
        <>
          <Pages page={page} pages={pages} onPage={setPage} />
          <Table
            caption={`Spans, page ${page + 1} of ${pages}`}
            rows={rows}
            rowKey={({ index }) => String(index)}
            rowClass={(bar) => (bar === chosen ? "chosen" : "")}
            columns={[
              { title: "Span", heads: true, cell: (bar) => <button type="button" class="link" aria-pressed={bar === chosen} onClick={() => onChoose(bar)}><Text value={bar.span.name || "(no name)"} max={80} /></button> },
              { title: "Service", cell: (bar) => <Text value={resource(bar)?.service ?? ""} max={48} /> },
              { title: "Pod", cell: (bar) => (resource(bar)?.pod ? <Text value={resource(bar)?.pod ?? ""} max={64} /> : isPodless(resource(bar)) ? <Mark tone="bad">no pod</Mark> : <None />) },
              { title: "Address", cell: (bar) => (resource(bar)?.address ? <span class="number"><Text value={resource(bar)?.address ?? ""} max={45} /></span> : <None />) },
              { title: "Parent", cell: ({ parent, orphan }) => (parent ? <Text value={parent.span.name} max={48} /> : orphan ? <Mark tone="warning">missing</Mark> : <None />) },
              { title: "Start", numeric: true, cell: ({ span }) => nanoseconds(span.start_ns) },
              { title: "Duration", numeric: true, cell: ({ span }) => nanoseconds(span.duration_ns) },
              { title: "Marks", cell: ({ span, outside }) => <span class="marks">{span.error && <Mark tone="bad">error</Mark>}{outside && <Mark tone="warning">outside of its parent</Mark>}</span> },
            ]}
          />
          <Pages page={page} pages={pages} onPage={setPage} />
        </>
      )}
      {!open && <p class="calm">{count(layout.bars.length)} spans in the order in which they came.</p>}
    </Panel>
  );
}

function Pages({ page, pages, onPage }: { page: number; pages: number; onPage: (page: number) => void }) {
  if (pages < 2) return null;
  return (
    <p class="pages">
      <button type="button" class="small" disabled={page === 0} onClick={() => onPage(page - 1)}>Before</button>
      <span role="status">Page {page + 1} of {pages}</span>
      <button type="button" class="small" disabled={page + 1 >= pages} onClick={() => onPage(page + 1)}>Next</button>
    </p>
  );
}

/** Rows on a page. */
const PAGE = 100;
