//! What all guests have in common: their target, the toolchain's variable, and the workspace that they are in.

use std::path::{Path, PathBuf};

/// The target that guests are built for: no WASI, so nothing of the world comes in but what `wit/` says.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Forces a toolchain: `rustup` or `distro`.
pub const CHOICE_VARIABLE: &str = "PODSTAMP_WASM_TOOLCHAIN";

/// The root of podstamp's workspace.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
