//! An export of traces that goes elsewhere as it came, and of which the agent gets a stamped copy.
//!
//! While the original passes, its bytes are only copied. All else happens on a tick of the root's, when no request waits
//! for it, and what goes wrong there is counted and logged: the original never notices.

mod capture;
mod captured;
mod copies;

pub(crate) use capture::Capture;
pub(crate) use copies::Copies;
