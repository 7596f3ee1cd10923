use super::*;

fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::new(10, 1, 0, last)))
}

fn full(resource: Resource, of_peer: bool) -> Full {
    Full { resource, of_peer }
}

fn limits(in_flight: usize, in_flight_bytes: usize) -> Limits {
    Limits { in_flight, in_flight_bytes, body: 10, per_peer: 1000, ..Limits::default() }
}

#[test]
fn a_dropped_slot_gives_back_its_place_and_its_bytes() {
    let admission = Arc::new(Admission::new(&limits(2, 100)));
    let peer = admission.peer(None);
    let mut first = admission.arrive(&peer).unwrap();
    let mut second = admission.arrive(&peer).unwrap();
    let mut third = admission.arrive(&peer).unwrap();
    assert_eq!((admission.bodies(), admission.requests()), (3, 0));
    assert_eq!((first.enter(), second.enter()), (Ok(()), Ok(())));
    assert_eq!(third.enter(), Err(full(Resource::Requests, true)));
    assert!(admission.arrive(&peer).is_err(), "nobody could work on it");
    drop(third);
    assert_eq!((admission.bodies(), admission.requests()), (0, 2));
    assert!(first.hold(60));
    assert!(!second.hold(41));
    assert_eq!(second.full(), full(Resource::Bytes, true));
    assert!(second.hold(40));
    assert_eq!(admission.bytes(), 100);
    first.release(10);
    assert!(second.hold(10));
    drop(first);
    assert_eq!((admission.requests(), admission.bytes()), (1, 50));
    drop(second);
    assert_eq!((admission.requests(), admission.bytes()), (0, 0));
}

#[test]
fn no_peer_takes_more_than_its_share_and_all_together_no_more_than_there_is() {
    let limits = Limits { connections: Some(4), per_peer: 500, ..limits(4, 100) };
    let admission = Arc::new(Admission::new(&limits));
    let greedy = admission.peer(address(1));
    let mut held: Vec<_> = (0..2).map(|_| admission.arrive(&greedy).unwrap()).collect();
    assert_eq!(admission.arrive(&greedy).unwrap_err(), full(Resource::Bodies, true));
    held.iter_mut().for_each(|slot| slot.enter().unwrap());
    assert_eq!(admission.arrive(&greedy).unwrap_err(), full(Resource::Requests, true));
    assert!(held[0].hold(50));
    assert!(!held[1].hold(1));
    assert_eq!(held[1].full(), full(Resource::Bytes, true));

    let other = admission.peer(address(2));
    let mut theirs: Vec<_> = (0..2).map(|_| admission.arrive(&other).unwrap()).collect();
    assert!(theirs[0].hold(30), "others have room");
    theirs.iter_mut().for_each(|slot| slot.enter().unwrap());
    let mut third = admission.peer(address(3));
    assert_eq!(admission.arrive(&third).unwrap_err(), full(Resource::Requests, false));
    drop(theirs.pop());
    let mut last = admission.arrive(&third).unwrap();
    assert!(!last.hold(21));
    assert_eq!(last.full(), full(Resource::Bytes, false));
    third = admission.peer(address(3));
    let connected = (third.connect(), third.connect());
    assert!(connected.0.is_some() && connected.1.is_some() && third.connect().is_none());
    drop(connected);
    assert!(third.connect().is_some());
}

#[test]
fn a_share_lets_the_largest_body_in() {
    let limits = Limits { body: 40, per_peer: 100, ..limits(4, 100) };
    let admission = Arc::new(Admission::new(&limits));
    let mut slot = admission.arrive(&admission.peer(None)).unwrap();
    assert!(slot.hold(80) && !slot.hold(1));
    assert!(slot.enter().is_ok());
}

#[test]
fn a_peer_is_known_for_as_long_as_it_holds_anything() {
    let admission = Arc::new(Admission::new(&limits(4, 100)));
    let peer = admission.peer(address(1));
    let slot = admission.arrive(&admission.peer(address(1))).unwrap();
    assert_eq!(admission.peers(), 1);
    drop(peer);
    assert_eq!(admission.peers(), 1);
    drop(slot);
    assert_eq!(admission.peers(), 0);
}
