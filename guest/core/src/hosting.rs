//! What every host of the filter needs: so that the same things are counted, logged and answered alike in all of them.

pub mod frame;
pub mod labels;
pub mod throttle;
pub mod unreadable;
