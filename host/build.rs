//! Builds the filter, which the host carries inside, and compiles it for the machine that podstamp is built for.
//! `env!("PODSTAMP_COMPONENT")` is the path of the component, `env!("PODSTAMP_FILTER")` that of its code: what wasmtime makes of it,
//! packed with zstd.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use podstamp_guest_build::artifact::{Form, Guest, build};
use wasmtime::Engine;

#[path = "src/sandbox/compilation.rs"]
mod compilation;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/sandbox/compilation.rs");
    match filter() {
        Ok((component, code)) => {
            println!("cargo:rustc-env=PODSTAMP_COMPONENT={}", component.display());
            println!("cargo:rustc-env=PODSTAMP_FILTER={}", code.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nerror: podstamp-component: {error}\n");
            ExitCode::FAILURE
        }
    }
}

/// The component and its code.
fn filter() -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let component = build(Guest { package: "podstamp-component", features: &[], form: Form::Component })?;
    let code = PathBuf::from(env::var("OUT_DIR")?).join("filter.zst");
    let packed = zstd::bulk::compress(&compile(&component, &env::var("TARGET")?)?, LEVEL)?;
    fs::write(&code, packed).map_err(|error| format!("cannot write {}: {error}", code.display()))?;
    Ok((component, code))
}

/// Compiles a component for any machine of the target: the one that builds may have features that others lack.
fn compile(component: &Path, target: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let bytes =
        fs::read(component).map_err(|error| format!("cannot read {}: {error}", component.display()))?;
    let failed = |error| format!("cannot compile {} for {target}: {error:#}", component.display());
    let mut config = compilation::config();
    config.target(target).map_err(failed)?;
    if target.starts_with("x86_64") {
        for feature in X86_64_V2 {
            // Safe code, in wasmtime's words, is what runs on the processor that it is made for; an engine looks before it takes any.
            #[expect(unsafe_code, reason = "a wrong name is refused, a feature that a processor lacks too")]
            unsafe {
                config.cranelift_flag_enable(feature);
            }
        }
    }
    let engine = Engine::new(&config).map_err(failed)?;
    Ok(engine.precompile_component(&bytes).map_err(failed)?)
}

/// Features of all x86-64 processors made since 2009, as the level x86-64-v2 of the psABI has them: wasm's SIMD takes them.
const X86_64_V2: [&str; 5] = ["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];

/// Of zstd: a second at most where this script is not optimised.
const LEVEL: i32 = 12;
