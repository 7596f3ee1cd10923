// A table that becomes a list of cards where it is narrow. The roles stand in the markup, since browsers drop those of a table whose
// display changes.

import type { ComponentChildren } from "preact";

export interface Column<R> {
  title: string;
  cell: (row: R) => ComponentChildren;
  /** Numbers stand at the right, one below the other. */
  numeric?: boolean;
  /** It names the row. */
  heads?: boolean;
}

export function Table<R>({
  caption,
  columns,
  rows,
  rowKey,
  rowClass,
  rowData,
}: {
  caption: string;
  columns: Column<R>[];
  rows: R[];
  rowKey: (row: R) => string;
  rowClass?: (row: R) => string;
  rowData?: (row: R) => Record<`data-${string}`, string>;
}) {
  return (
    <table role="table">
      <caption class="hidden">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, numeric }) => (
            <th role="columnheader" scope="col" class={numeric ? "numeric" : ""}>{title}</th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr role="row" key={rowKey(row)} class={rowClass?.(row) ?? ""} {...rowData?.(row)}>
            {columns.map(({ title, cell, numeric, heads }) =>
              heads ? (
                <th role="rowheader" scope="row" data-title={title}><div>{cell(row)}</div></th>
              ) : (
                <td role="cell" data-title={title} class={numeric ? "numeric" : ""}><div>{cell(row)}</div></td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
