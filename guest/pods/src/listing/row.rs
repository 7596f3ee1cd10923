//! The line of a pod.

use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::directory::Field;

use super::cell::{Cell, DELETING, FINISHED, HOST_NETWORK, IGNORED};
use super::escape::unescape;
use crate::parts::{Pair, PodParts};
use crate::slot::Slot;

/// A line: a pod and its place, as far as it says so. A pod without a name is none: the place is vacant.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    pub(super) slot: Option<Slot>,
    pub(super) pod: PodParts<'a>,
}

/// Reads a line; an error says what is wrong with which cell.
pub(super) fn read_row<'a>(line: &'a str, cells: &[Option<Cell>]) -> Result<Row<'a>, String> {
    let mut row = Row::default();
    let mut known = cells.iter();
    for text in line.split('\t') {
        let Some(cell) = known.next() else {
            return Err(format!("it has more than the {} cells that line 1 names", cells.len()));
        };
        if let Some(cell) = cell
            && !text.is_empty()
        {
            read_cell(&mut row, *cell, text).map_err(|reason| format!("{}: {reason}", cell.name()))?;
        }
    }
    Ok(row)
}

fn read_cell<'a>(row: &mut Row<'a>, cell: Cell, text: &'a str) -> Result<(), String> {
    let pod = &mut row.pod;
    match cell {
        Cell::Slot => {
            row.slot = Some(Slot(text.parse().map_err(|_| format!("{text:?} is no number of a place"))?));
        }
        Cell::Name => pod.name = unescape(text)?,
        Cell::Ips => pod.ips = read_addresses(text)?,
        Cell::NodeIps => pod.node_ips = read_addresses(text)?,
        Cell::Created => pod.created = unescape(text)?,
        Cell::Started => pod.started = unescape(text)?,
        Cell::Flags => read_flags(pod, text)?,
        Cell::Optional(Field::Namespace) => pod.namespace = unescape(text)?,
        Cell::Optional(Field::Uid) => pod.uid = unescape(text)?,
        Cell::Optional(Field::Node) => pod.node = unescape(text)?,
        Cell::Optional(Field::Hostname) => pod.hostname = unescape(text)?,
        Cell::Optional(Field::Deployment) => pod.deployment = unescape(text)?,
        Cell::Optional(Field::Phase) => pod.phase = unescape(text)?,
        Cell::Optional(Field::Containers) => pod.containers = read_pairs(text)?,
        Cell::Optional(Field::Labels) => pod.labels = read_pairs(text)?,
        Cell::Optional(Field::Annotations) => pod.annotations = read_pairs(text)?,
    }
    Ok(())
}

fn read_addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    let read = |text| address::parse(text).ok_or_else(|| format!("{text:?} is no IP address"));
    text.split(',').map(read).collect()
}

fn read_flags(pod: &mut PodParts<'_>, text: &str) -> Result<(), String> {
    for flag in text.chars() {
        match flag {
            HOST_NETWORK => pod.host_network = true,
            FINISHED => pod.finished = true,
            DELETING => pod.deleting = true,
            IGNORED => pod.ignored = true,
            other => return Err(format!("{other:?} is no flag")),
        }
    }
    Ok(())
}

fn read_pairs(text: &str) -> Result<Vec<Pair<'_>>, String> {
    text.split(',').map(read_pair).collect()
}

fn read_pair(text: &str) -> Result<Pair<'_>, String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} has no ="))?;
    Ok((unescape(key)?, unescape(value)?))
}
