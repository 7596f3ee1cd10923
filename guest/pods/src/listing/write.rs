//! Writes the pods of a table.

use std::collections::BTreeSet;
use std::fmt::Display;

use podstamp_core::directory::{Field, Fields, Keys, cut_hostname};

use super::cell::{Cell, DELETING, FINISHED, HOST_NETWORK, IGNORED};
use super::escape;
use super::header::{Header, Kind};
use crate::parts::{Pair, PodParts};
use crate::slot::Slot;
use crate::table::Table;

/// The pods of a table, with these fields as far as the table has them: sorted, without places and version, so that the same pods
/// give the same text wherever they were read.
pub fn write(table: &Table, fields: Fields) -> String {
    let key = |slot| {
        let record = table.record(slot)?;
        Some((table.texts.bytes(record.namespace), record.name, record.uid.key(), slot))
    };
    let mut pods: Vec<_> = table.slots().filter_map(key).collect();
    pods.sort_unstable();
    let header = header(table, fields, Kind::Full, false);
    lines(table, &header, pods.into_iter().map(|(.., slot)| slot))
}

/// All pods of a table with their places, for readers who go on with [`write_delta`].
pub fn write_full(table: &Table, fields: Fields) -> String {
    lines(table, &header(table, fields, Kind::Full, true), table.slots())
}

/// What is in these places now, where these are all that have changed since a version of the table's epoch.
pub fn write_delta(table: &Table, fields: Fields, since: u64, changed: &[Slot]) -> String {
    let changed: BTreeSet<_> = changed.iter().copied().collect();
    let kind = Kind::Delta { since, lines: changed.len() };
    lines(table, &header(table, fields, kind, true), changed.into_iter())
}

fn header(table: &Table, fields: Fields, kind: Kind, has_slots: bool) -> Header {
    let is_kept = |field: &Field| match field {
        Field::Labels => table.kept_keys.labels != Keys::None,
        Field::Annotations => table.kept_keys.annotations != Keys::None,
        _ => table.fields.contains(*field),
    };
    Header {
        kind,
        version: has_slots.then(|| table.version()),
        coverage: table.coverage,
        pods: table.len(),
        cells: Cell::of(fields.iter().filter(is_kept).collect(), has_slots).map(Some).collect(),
        kept_keys: (*table.kept_keys).clone(),
    }
}

fn lines(table: &Table, header: &Header, slots: impl Iterator<Item = Slot>) -> String {
    let mut out = String::new();
    header.write(&mut out);
    out.push('\n');
    for slot in slots {
        let start = out.len();
        let pod = table.describe(slot).unwrap_or_default();
        for cell in header.cells.iter().flatten() {
            write_cell(&mut out, slot, &pod, *cell);
            out.push('\t');
        }
        let filled = out.get(start..).unwrap_or_default().trim_end_matches('\t').len();
        out.truncate(start + filled);
        out.push('\n');
    }
    out
}

fn write_cell(out: &mut String, slot: Slot, pod: &PodParts<'_>, cell: Cell) {
    let text = match cell {
        Cell::Slot => return out.push_str(&slot.to_string()),
        Cell::Ips => return list(out, &pod.ips),
        // Its node's addresses are its own, which a reader knows.
        Cell::NodeIps if pod.host_network && pod.node_ips == pod.ips => return,
        Cell::NodeIps => return list(out, &pod.node_ips),
        Cell::Flags => {
            let flags = [
                (pod.host_network, HOST_NETWORK),
                (pod.finished, FINISHED),
                (pod.deleting, DELETING),
                (pod.ignored, IGNORED),
            ];
            return out.extend(flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)));
        }
        Cell::Started if pod.started == pod.created => return,
        Cell::Optional(Field::Hostname) if pod.hostname == cut_hostname(&pod.name) => return,
        Cell::Optional(Field::Containers) => return write_pairs(out, &pod.containers),
        Cell::Optional(Field::Labels) => return write_pairs(out, &pod.labels),
        Cell::Optional(Field::Annotations) => return write_pairs(out, &pod.annotations),
        Cell::Name => &pod.name,
        Cell::Created => &pod.created,
        Cell::Started => &pod.started,
        Cell::Optional(Field::Uid) => &pod.uid,
        Cell::Optional(Field::Namespace) => &pod.namespace,
        Cell::Optional(Field::Node) => &pod.node,
        Cell::Optional(Field::Deployment) => &pod.deployment,
        Cell::Optional(Field::Phase) => &pod.phase,
        Cell::Optional(Field::Hostname) => &pod.hostname,
    };
    escape::push_escaped(out, text);
}

fn write_pairs(out: &mut String, pairs: &[Pair<'_>]) {
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        escape::push_escaped(out, key);
        out.push('=');
        escape::push_escaped(out, value);
    }
}

fn list<T: Display>(out: &mut String, items: &[T]) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&item.to_string());
    }
}
