//! The console's page in a real browser, with made-up answers and with podstamp's own; and that it is built from its sources.
//!
//! Everything that goes wrong in the page fails these tests: errors in the browser's console, violations of its content security policy,
//! requests to elsewhere. Pictures of what was seen stay in `target/screenshots`. They do not prove how other browsers draw it.

mod built;
mod driver;
mod made_up;
mod served;
