//! A pod as bytes: what a table keeps of it.

mod encode;
mod input;

use std::net::IpAddr;

use crate::containers::Id;
use crate::texts::Symbol;
use crate::uid::Uid;

pub(crate) use encode::encode;
use input::Input;

/// A pod, read from its bytes. Texts are bytes here, since most are only compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    flags: u8,
    pub(crate) uid: Uid<'a>,
    pub(crate) name: &'a [u8],
    /// `metadata.creationTimestamp`.
    pub(crate) created: &'a [u8],
    /// `status.startTime` or, while that is unset, `metadata.creationTimestamp`.
    pub(crate) started: &'a [u8],
    pub(crate) hostname: &'a [u8],
    pub(crate) namespace: Symbol,
    pub(crate) node: Symbol,
    pub(crate) deployment: Symbol,
    pub(crate) phase: Symbol,
    /// Addresses of the pod's node, separated by commas.
    pub(crate) node_ips: Symbol,
    addresses: Input<'a>,
    containers: Input<'a>,
    pub(crate) labels: Pairs<'a>,
    pub(crate) annotations: Pairs<'a>,
}

impl<'a> Record<'a> {
    /// The pod that [`encode`] made these bytes of; `None` for no bytes.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut input = Input::new(bytes);
        let flags = input.byte()?;
        let has = |flag| flags & flag != 0;
        let uid = if has(UUID) { Uid::Uuid(input.chunk()?) } else { Uid::Text(input.text()?) };
        let name = input.text()?;
        let created = input.text()?;
        Some(Self {
            flags,
            uid,
            name,
            created,
            started: if has(STARTED_WHEN_CREATED) { created } else { input.text()? },
            hostname: if has(CALLED_BY_ITS_NAME) { name } else { input.text()? },
            namespace: input.symbol()?,
            node: input.symbol()?,
            deployment: input.symbol()?,
            phase: input.symbol()?,
            node_ips: input.symbol()?,
            addresses: Input::new(input.text()?),
            containers: Input::new(input.text()?),
            labels: Pairs(Input::new(input.text()?)),
            annotations: Pairs(Input::new(input.text()?)),
        })
    }

    /// Its addresses are its node's.
    pub(crate) fn is_on_host_network(&self) -> bool {
        self.flags & HOST_NETWORK != 0
    }

    /// The pod has run to its end and given its addresses back.
    pub(crate) fn is_finished(&self) -> bool {
        self.flags & FINISHED != 0
    }

    /// Kubernetes was told to delete it.
    pub(crate) fn is_deleting(&self) -> bool {
        self.flags & DELETING != 0
    }

    /// The pod's owner does not want it found.
    pub(crate) fn is_ignored(&self) -> bool {
        self.flags & IGNORED != 0
    }

    /// Whether the pod is neither finished nor about to be deleted.
    pub(crate) fn is_live(&self) -> bool {
        self.flags & (FINISHED | DELETING) == 0
    }

    /// Whether the pod's addresses are its own, and it still has them.
    pub(crate) fn owns_addresses(&self) -> bool {
        self.flags & (FINISHED | HOST_NETWORK) == 0
    }

    /// The addresses of the pod, the primary one first.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let mut input = self.addresses;
        std::iter::from_fn(move || input.address())
    }

    /// Names and ids of the pod's containers.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (Symbol, Id)> + use<'a> {
        let mut input = self.containers;
        std::iter::from_fn(move || Some((input.symbol()?, Id(u64::from_le_bytes(*input.chunk()?)))))
    }

    /// Tells the texts that the pod shares with others, each as often as it uses it.
    pub(crate) fn symbols(&self, mut tell: impl FnMut(Symbol)) {
        let mut tell = |symbol| {
            if symbol != Symbol::EMPTY {
                tell(symbol)
            }
        };
        [self.namespace, self.node, self.deployment, self.phase, self.node_ips]
            .into_iter()
            .for_each(&mut tell);
        for pairs in [self.labels, self.annotations] {
            for (key, value) in pairs.iter() {
                tell(key);
                tell(value);
            }
        }
        self.containers().for_each(|(name, _)| tell(name));
    }
}

/// Marks a pod as about to be deleted. Returns whether the bytes are a pod.
pub(crate) fn mark_deleting(bytes: &mut [u8]) -> bool {
    let flags = bytes.first_mut();
    flags.map(|flags| *flags |= DELETING).is_some()
}

/// Labels or annotations of a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs<'a>(Input<'a>);

impl<'a> Pairs<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Symbol, Symbol)> + use<'a> {
        let mut input = self.0;
        std::iter::from_fn(move || Some((input.symbol()?, input.symbol()?)))
    }
}

const HOST_NETWORK: u8 = 1;
const FINISHED: u8 = 1 << 1;
const DELETING: u8 = 1 << 2;
const IGNORED: u8 = 1 << 3;
/// The uid is 16 bytes.
const UUID: u8 = 1 << 4;
/// There is no time of its start.
const STARTED_WHEN_CREATED: u8 = 1 << 5;
/// There is no host name.
const CALLED_BY_ITS_NAME: u8 = 1 << 6;
