//! Writes a pod as a record.

use std::net::IpAddr;

use podstamp_core::directory::{self, Field, Fields, KeptKeys, Keys};

use super::{CALLED_BY_ITS_NAME, DELETING, FINISHED, HOST_NETWORK, IGNORED, STARTED_WHEN_CREATED, UUID};
use crate::containers::Id;
use crate::parts::{AddError, Pair, PodParts};
use crate::texts::Symbol;
use crate::uid;

/// The bytes of a pod, with these of its parts. `symbol` gives the symbols of shared texts.
pub(crate) fn encode(
    pod: &PodParts<'_>,
    fields: Fields,
    kept_keys: &KeptKeys,
    symbol: &mut dyn FnMut(&str) -> Option<Symbol>,
) -> Result<Vec<u8>, AddError> {
    if pod.name.is_empty() {
        return Err(AddError::Unnamed);
    }
    let addresses = distinct(pod.ips.iter());
    let own = addresses.iter().filter(|_| pod.host_network);
    let nodes = distinct(pod.node_ips.iter().chain(own));
    if addresses.len() > MAX_ADDRESSES || nodes.len() > MAX_ADDRESSES {
        return Err(AddError::TooManyAddresses);
    }
    let nodes: Vec<_> = nodes.iter().map(IpAddr::to_string).collect();
    let kept = |field, text| if fields.contains(field) { text } else { "" };
    let hostname = match &*pod.hostname {
        // As the kubelet does: Linux has no longer host name.
        "" => directory::cut_hostname(&pod.name),
        hostname => hostname,
    };
    let hostname = kept(Field::Hostname, hostname);
    let uid = kept(Field::Uid, &*pod.uid);
    let packed = uid::pack(uid);
    let started = if pod.started.is_empty() { &pod.created } else { &pod.started };

    let flags = [
        (HOST_NETWORK, pod.host_network),
        (FINISHED, pod.finished),
        (DELETING, pod.deleting),
        (IGNORED, pod.ignored),
        (UUID, packed.is_some()),
        (STARTED_WHEN_CREATED, *started == pod.created),
        (CALLED_BY_ITS_NAME, hostname == pod.name),
    ];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set).fold(0, |flags, (flag, _)| flags | flag);
    let mut out = Output { bytes: vec![flags], symbol };
    match packed {
        Some(bytes) => out.bytes.extend(bytes),
        None => out.text(uid.as_bytes())?,
    }
    out.text(pod.name.as_bytes())?;
    out.text(pod.created.as_bytes())?;
    if *started != pod.created {
        out.text(started.as_bytes())?;
    }
    if hostname != pod.name {
        out.text(hostname.as_bytes())?;
    }
    out.shared(kept(Field::Namespace, &pod.namespace))?;
    out.shared(kept(Field::Node, &pod.node))?;
    out.shared(kept(Field::Deployment, &pod.deployment))?;
    out.shared(kept(Field::Phase, &pod.phase))?;
    out.shared(&nodes.join(","))?;
    out.section(|out| {
        addresses.iter().for_each(|address| out.address(*address));
        Ok(())
    })?;
    out.section(|out| {
        out.containers(if fields.contains(Field::Containers) { &pod.containers } else { &[] })
    })?;
    out.section(|out| out.pairs(&pod.labels, &kept_keys.labels))?;
    out.section(|out| out.pairs(&pod.annotations, &kept_keys.annotations))?;
    Ok(out.bytes)
}

/// Each address once, those of IPv4 as such; no more of them than show that there are too many.
fn distinct<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for address in addresses.map(IpAddr::to_canonical) {
        if all.len() > MAX_ADDRESSES {
            break;
        }
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

struct Output<'s> {
    bytes: Vec<u8>,
    symbol: &'s mut dyn FnMut(&str) -> Option<Symbol>,
}

impl Output<'_> {
    fn number(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn text(&mut self, text: &[u8]) -> Result<(), AddError> {
        self.number(u32::try_from(text.len()).map_err(|_| AddError::Full)?);
        self.bytes.extend_from_slice(text);
        Ok(())
    }

    fn shared(&mut self, text: &str) -> Result<(), AddError> {
        let symbol = (self.symbol)(text).ok_or(AddError::Full)?;
        self.number(symbol.0);
        Ok(())
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.bytes.push(4);
                self.bytes.extend(address.octets());
            }
            IpAddr::V6(address) => {
                self.bytes.push(16);
                self.bytes.extend(address.octets());
            }
        }
    }

    fn containers(&mut self, containers: &[Pair<'_>]) -> Result<(), AddError> {
        let (mut known, mut names) = (Vec::new(), Vec::new());
        for (name, id) in containers {
            let id = Id::new(id);
            // An id is that of one container, whatever that is called.
            if if id.is_none() { names.contains(&name) } else { known.contains(&id.0) } {
                continue;
            }
            if id.is_none() {
                names.push(name)
            } else {
                known.push(id.0)
            }
            self.shared(name)?;
            self.bytes.extend(id.0.to_le_bytes());
        }
        Ok(())
    }

    fn pairs(&mut self, pairs: &[Pair<'_>], keys: &Keys) -> Result<(), AddError> {
        for (key, value) in pairs.iter().filter(|(key, _)| keys.contains(key)) {
            self.shared(key)?;
            self.shared(value)?;
        }
        Ok(())
    }

    /// What `write` writes, behind its length.
    fn section(&mut self, write: impl FnOnce(&mut Self) -> Result<(), AddError>) -> Result<(), AddError> {
        let outer = std::mem::take(&mut self.bytes);
        let written = write(self);
        let section = std::mem::replace(&mut self.bytes, outer);
        written?;
        self.text(&section)
    }
}

/// The most addresses of a pod, which has one or two.
const MAX_ADDRESSES: usize = 255;
