//! Writes the pods of a table.

use podstamp_core::directory::{Field, Fields, Keys};

use super::cell::{Cell, DELETING, FINISHED, HOST_NETWORK, IGNORED};
use super::escape;
use super::header::Header;
use crate::columns::{Columns, Pairs, Record};
use crate::table::Table;

/// The pods of a table, with these fields as far as the table has them.
pub fn write(table: &Table, fields: Fields) -> String {
    let columns = &table.columns;
    let is_kept = |field: &Field| match field {
        Field::Labels => table.kept_keys.labels != Keys::None,
        Field::Annotations => table.kept_keys.annotations != Keys::None,
        _ => table.fields.contains(*field),
    };
    let fields = fields.iter().filter(is_kept).collect();
    let header = Header {
        coverage: table.coverage,
        pods: table.len(),
        cells: Cell::of(fields).map(Some).collect(),
        kept_keys: table.kept_keys.clone(),
    };
    let mut out = String::new();
    header.write(&mut out);
    out.push('\n');
    list(&mut out, columns.nodes.iter(), '\t');
    out.push('\n');
    for pod in sorted(columns) {
        let Some(record) = columns.record(pod) else { continue };
        let start = out.len();
        for cell in header.cells.iter().flatten() {
            write_cell(&mut out, columns, pod, record, *cell);
            out.push('\t');
        }
        let filled = out.get(start..).unwrap_or_default().trim_end_matches('\t').len();
        out.truncate(start + filled);
        out.push('\n');
    }
    out
}

/// Pods by namespace and name. Those that share both stay in their order, which decides between them.
fn sorted(columns: &Columns) -> Vec<u32> {
    let mut pods: Vec<_> = (0..columns.records.len() as u32).collect();
    let key = |pod: u32| {
        let namespace = columns.record(pod).map_or("", |record| columns.strings.text(record.namespace));
        (namespace, columns.name(pod))
    };
    pods.sort_by(|a, b| key(*a).cmp(&key(*b)));
    pods
}

fn write_cell(out: &mut String, columns: &Columns, pod: u32, record: &Record, cell: Cell) {
    let symbol = match cell {
        Cell::Name => record.name,
        Cell::Created => record.created,
        Cell::Started if columns.strings.text(record.started) == columns.strings.text(record.created) => {
            return;
        }
        Cell::Started => record.started,
        Cell::Optional(Field::Namespace) => record.namespace,
        Cell::Optional(Field::Node) => record.node,
        Cell::Optional(Field::Deployment) => record.deployment,
        Cell::Optional(Field::Phase) => record.phase,
        Cell::Optional(Field::Hostname) if record.hostname == record.name => return,
        Cell::Optional(Field::Hostname) => record.hostname,
        Cell::Optional(Field::Uid) => return escape::push_escaped(out, &record.uid.text(&columns.strings)),
        Cell::Optional(Field::Containers) => return write_containers(out, columns, pod),
        Cell::Optional(Field::Labels) => return write_pairs(out, columns, pod, &columns.labels),
        Cell::Optional(Field::Annotations) => return write_pairs(out, columns, pod, &columns.annotations),
        Cell::Ips => return list(out, columns.addresses(record).iter(), ','),
        Cell::Flags => {
            let flags = [
                (record.host_network, HOST_NETWORK),
                (record.finished, FINISHED),
                (record.deleting, DELETING),
                (record.ignored, IGNORED),
            ];
            return out.extend(flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)));
        }
    };
    escape::push_escaped(out, columns.strings.text(symbol));
}

fn write_pairs(out: &mut String, columns: &Columns, pod: u32, pairs: &Pairs) {
    for (index, (key, value)) in pairs.of(pod).iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        escape::push_escaped(out, columns.strings.text(*key));
        out.push('=');
        escape::push_escaped(out, columns.strings.text(*value));
    }
}

fn write_containers(out: &mut String, columns: &Columns, pod: u32) {
    for (index, (name, id)) in columns.containers.of(pod).enumerate() {
        if index > 0 {
            out.push(',');
        }
        escape::push_escaped(out, columns.strings.text(name));
        out.push('=');
        out.push_str(&id.text());
    }
}

fn list<T: std::fmt::Display>(out: &mut String, items: impl Iterator<Item = T>, separator: char) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(separator);
        }
        out.push_str(&item.to_string());
    }
}
