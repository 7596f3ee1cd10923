//! What an exporter could not deliver yet: kept in memory or on disk until the upstream takes it.

mod disk;
mod entry;
