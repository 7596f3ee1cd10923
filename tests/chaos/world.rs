//! podstamp, its agents, and the faults that are made at them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use podstamp_fake_agent::TRACE_PATH;
use podstamp_test_support::ports::closed_port;

use crate::agent::Agent;
use crate::disk;
use crate::event::{Event, now};
use crate::namespace::{Hosts, NAME, mount_memory};
use crate::options::{Options, Queue};
use crate::podstamp::Podstamp;
use crate::schedule::{Fault, Means, Step, Stroke, Trouble};

pub(crate) struct World {
    pub(crate) podstamp: Podstamp,
    pub(crate) agents: Vec<Agent>,
    pub(crate) events: Vec<Event>,
    pub(crate) means: Means,
    addresses: Vec<IpAddr>,
    hosts: Option<Hosts>,
    stored: PathBuf,
    rng: Rng,
}

impl World {
    /// Starts everything in a folder.
    pub(crate) fn start(options: &Options, folder: &Path) -> Self {
        let stored = folder.join("queue");
        let hosts = options.inside.then(|| Hosts::mount(folder));
        let on_disk = options.queue == Queue::Disk;
        if options.inside && on_disk {
            mount_memory(&stored, DISK);
        }
        let means = Means {
            agents: if options.inside { 2 } else { 1 },
            name: options.inside,
            full_disk: options.inside && on_disk,
            corruption: on_disk,
        };
        let port = closed_port().port();
        let addresses: Vec<IpAddr> =
            (1..=means.agents as u8).map(|number| Ipv4Addr::new(127, 0, 0, number).into()).collect();
        let host = if options.inside { NAME.to_owned() } else { addresses[0].to_string() };
        let url = format!("http://{host}:{port}{TRACE_PATH}");
        let agents = addresses.iter().enumerate().map(|(number, address)| {
            let mut agent = Agent::new(number, SocketAddr::new(*address, port), folder);
            agent.start();
            agent
        });
        let agents = agents.collect();
        let mut podstamp = Podstamp::new(&options.podstamp, folder, &url, options.queue, &stored);
        if let Some(hosts) = &hosts {
            hosts.set(&addresses);
        }
        podstamp.start();
        let rng = Rng::with_seed(options.seed);
        Self { podstamp, agents, events: Vec::new(), means, addresses, hosts, stored, rng }
    }

    /// Makes the faults of a step, and undoes them.
    pub(crate) fn play(&mut self, step: &Step) {
        thread::sleep(step.pause);
        let events: Vec<usize> = step.faults.iter().filter_map(|fault| self.make(*fault)).collect();
        thread::sleep(step.hold);
        for fault in step.faults.iter().rev() {
            self.undo(*fault);
        }
        for event in events {
            self.events[event].to = now();
        }
        if let Some(complaint) = self.podstamp.ended() {
            self.podstamp.complaints.push(complaint);
            self.podstamp.start();
        }
        for agent in &mut self.agents {
            if let Some(complaint) = agent.ended() {
                self.podstamp.complaints.push(complaint);
                agent.strike(Stroke::Kill);
                agent.start();
            }
        }
    }

    /// The number of the event; `None` if nothing came of it.
    fn make(&mut self, fault: Fault) -> Option<usize> {
        let agent = if let Fault::Agent(agent, _) = fault { Some(agent) } else { None };
        self.events.push(Event { from: now(), to: u64::MAX, kind: fault.kind(), agent });
        let event = self.events.len() - 1;
        match fault {
            Fault::Agent(agent, Trouble::Stroke(stroke)) => self.agents[agent].strike(stroke),
            Fault::Agent(agent, Trouble::Script(script)) => self.agents[agent].play(Some(script)),
            Fault::Away => self.agents.iter_mut().for_each(|agent| agent.strike(Stroke::Kill)),
            Fault::Podstamp(stroke) => self.podstamp.strike(stroke),
            Fault::Stumble(after) => {
                self.podstamp.strike(Stroke::Kill);
                self.podstamp.spawn();
                thread::sleep(after);
                self.podstamp.strike(Stroke::Kill);
            }
            Fault::FullDisk => disk::fill(&self.stored),
            Fault::Corruption => {
                // Something has to be in the queue: what is on its way to the agents stays there.
                self.agents.iter_mut().for_each(|agent| agent.strike(Stroke::Kill));
                thread::sleep(UNTIL_QUEUED);
                self.podstamp.strike(Stroke::Kill);
                let Some(place) = disk::flip(&self.stored, &mut self.rng) else {
                    self.events.pop();
                    return None;
                };
                eprintln!("a bit is flipped in {place}");
                self.events[event].from = now();
            }
            Fault::Name(agent) => self.set_name(&[self.addresses[agent]]),
            Fault::NoName => self.set_name(&[]),
        }
        Some(event)
    }

    fn undo(&mut self, fault: Fault) {
        match fault {
            Fault::Agent(agent, Trouble::Stroke(_)) => self.agents[agent].recover(),
            Fault::Agent(agent, Trouble::Script(_)) => self.agents[agent].play(None),
            Fault::Away => self.agents.iter_mut().for_each(Agent::recover),
            Fault::Podstamp(_) | Fault::Stumble(_) => self.podstamp.recover(),
            Fault::FullDisk => disk::empty(&self.stored),
            Fault::Corruption => {
                self.podstamp.recover();
                self.agents.iter_mut().for_each(Agent::recover);
            }
            Fault::Name(_) | Fault::NoName => self.set_name(&self.addresses.clone()),
        }
    }

    fn set_name(&self, addresses: &[IpAddr]) {
        if let Some(hosts) = &self.hosts {
            hosts.set(addresses);
        }
    }
}

/// Bytes of the queue's file system.
const DISK: u64 = 96 << 20;

/// How long agents are away before podstamp is killed, so that requests are in the queue.
const UNTIL_QUEUED: Duration = Duration::from_millis(1500);
