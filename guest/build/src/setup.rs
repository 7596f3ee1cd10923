//! Installs what builds the guests.
