//! `file_storage`.
//!
//! Its keys are those of `config.go` at v0.159.0, by eye: as with `basicauth`, `collector.json` has none of it.

use crate::config::document::Entry;

/// A folder for queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStorage {
    /// The extension's section, for example `extensions.file_storage/queues`.
    pub path: String,
    /// The folder, in which each queue has its own.
    pub directory: String,
    /// Whether the folder is made where it is missing.
    pub create_directory: bool,
    /// The permissions of folders that are made, less the process's umask.
    pub directory_permissions: u32,
    /// How long to wait for another process that has the folder, milliseconds.
    pub timeout: u32,
    /// Whether a request counts as queued only once the device has it.
    pub fsync: bool,
    /// The most bytes of one queue on disk; 0: any number.
    pub max_size: u64,
}

impl Default for FileStorage {
    /// As in the Collector, but for `fsync`.
    fn default() -> Self {
        Self {
            path: "extensions.file_storage".to_owned(),
            directory: "/var/lib/otelcol/file_storage".to_owned(),
            create_directory: false,
            directory_permissions: 0o750,
            timeout: 1_000,
            // What is acknowledged must outlast the machine too.
            fsync: true,
            max_size: 0,
        }
    }
}

pub(super) fn read_file_storage(entry: &Entry<'_>) -> FileStorage {
    let default = FileStorage::default();
    let mut section = entry.section();
    let storage = FileStorage {
        path: entry.path().to_owned(),
        directory: section.take("directory").filled_text().unwrap_or(default.directory),
        create_directory: section.take("create_directory").flag().unwrap_or(default.create_directory),
        directory_permissions: read_permissions(&section.take("directory_permissions"))
            .unwrap_or(default.directory_permissions),
        timeout: section.take("timeout").duration().unwrap_or(default.timeout),
        fsync: section.take("fsync").flag().unwrap_or(default.fsync),
        max_size: section.take("max_size").number().unwrap_or(default.max_size),
    };
    section.without_effect(&["compaction"], "the room of what has been delivered is free at once");
    section.without_effect(&["recreate"], "what is damaged is set aside, and the rest is delivered");
    section.close();
    storage
}

/// Three octal digits, as in the Collector `0750` and `750` alike.
#[cold]
fn read_permissions(entry: &Entry<'_>) -> Option<u32> {
    let text = entry.filled_text()?;
    let permissions = u32::from_str_radix(&text, 8).ok().filter(|permissions| *permissions <= 0o777);
    if permissions.is_none() {
        entry.fault("expected permissions in octal digits, in quotes, such as `\"0750\"`");
    }
    permissions
}
