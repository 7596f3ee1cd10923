// The exporters' queues.

import type { Queue } from "../../data/contract";
import { bytes, count, seconds } from "../../format";
import { Panel } from "../../parts/notice";
import { Table } from "../../parts/table";
import { Text } from "../../parts/text";

export function Queues({ queues }: { queues: Queue[] }) {
  return (
    <Panel id="queues" title="Queues">
      {queues.length === 0 ? (
        <p class="calm">No exporter has a queue.</p>
      ) : (
        <Table
          caption="Queues"
          rows={queues}
          rowKey={({ name }) => name}
          columns={[
            { title: "Exporter", heads: true, cell: ({ name }) => <Text value={name} /> },
            { title: "Waiting", numeric: true, cell: ({ requests, unit }) => amount(requests, unit) },
            { title: "Room", cell: (queue) => <Filled queue={queue} /> },
            { title: "Oldest", numeric: true, cell: ({ requests, oldest_seconds }) => (requests > 0 && oldest_seconds !== null ? seconds(oldest_seconds) : "–") },
            { title: "Disk", numeric: true, cell: ({ disk_bytes }) => (disk_bytes ? bytes(disk_bytes) : "–") },
          ]}
        />
      )}
    </Panel>
  );
}

function Filled({ queue }: { queue: Queue }) {
  return (
    <span class="filled">
      <meter min={0} max={Math.max(1, queue.capacity)} value={queue.requests} aria-label={`${queue.name}: filled`} /> {amount(queue.capacity, queue.unit)}
    </span>
  );
}

function amount(value: number, unit: string): string {
  return unit === "bytes" ? bytes(value) : `${count(value)} ${unit}`;
}
