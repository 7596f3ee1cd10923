//! The peers that led to no pod, with what their addresses are.

use std::net::IpAddr;

use podstamp_core::directory::{Details, Directory, Lookup, Term};
use podstamp_pods::Table;
use serde::{Deserialize, Serialize};

use super::{Lost, Outcome, candidates};
use crate::observe::LostPeers;

/// The peers of the last minutes that led to no pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPeers {
    /// For how many minutes a peer is remembered.
    pub minutes: u64,
    /// How many peers made room for others, since they were the oldest of too many.
    pub forgotten: u64,
    /// The peers, those with the most requests first.
    pub peers: Vec<ExplainedPeer>,
}

/// A peer that led to no pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPeer {
    /// Its address.
    pub address: IpAddr,
    /// What came from it.
    #[serde(flatten)]
    pub lost: Lost,
    /// What its address is; `None` where no pods are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Outcome>,
    /// The node that has the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl ExplainedPeers {
    /// The peers that are remembered, held against the pods that are known now.
    pub fn of(lost_peers: &LostPeers, table: Option<&Table>) -> Self {
        let recent = lost_peers.recent();
        let addresses: Vec<_> = recent.iter().map(|peer| peer.address).collect();
        let mut nodes = table.map(|table| candidates::nodes(table, &addresses)).unwrap_or_default();
        let peers = recent.into_iter().map(|peer| ExplainedPeer {
            address: peer.address,
            lost: peer.into(),
            is: table.map(|table| outcome(table, peer.address)),
            node: nodes.remove(&peer.address),
        });
        Self {
            minutes: LostPeers::KEPT_FOR.as_secs() / 60,
            forgotten: lost_peers.forgotten(),
            peers: peers.collect(),
        }
    }
}

fn outcome(table: &Table, address: IpAddr) -> Outcome {
    if !podstamp_core::address::is_candidate(address) {
        return Outcome::NoPods;
    }
    match table.find(&[Term::Ip(address)], Details::default()) {
        Lookup::Found(_) => Outcome::Found,
        Lookup::Ambiguous => Outcome::Ambiguous,
        Lookup::Node => Outcome::Node,
        Lookup::Ignored => Outcome::Ignored,
        Lookup::Absent => Outcome::Absent,
        Lookup::Unknown => Outcome::Unknown,
    }
}
