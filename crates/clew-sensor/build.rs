//! Compiles the BPF programs, one object a tier, and one to try each tier that has none yet.
//!
//! clang-19 is called directly: no build framework stands between the command line that a reader
//! may want to repeat and the object. Headers of libbpf come with `libbpf-sys`; the kernel's types
//! are in `bpf/vmlinux.h`, so nothing of the building machine's kernel enters the object.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const CLANG: &str = "clang-19";
const OBJECTS: [&str; 10] =
    ["t0", "t0s", "t0c", "uring", "dns", "http", "tls", "stacks", "trial_t1", "trial_t2"];

fn main() -> Result<(), Box<dyn Error>> {
    let sources =
        Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../bpf").canonicalize()?;
    let headers = std::env::var("DEP_BPF_INCLUDE")?;
    let built = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", sources.display());
    for name in OBJECTS {
        let source = sources.join(format!("{name}.bpf.c"));
        let object = built.join(format!("{name}.bpf.o"));
        let status = Command::new(CLANG)
            .args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror"])
            .arg(format!("-D__TARGET_ARCH_{}", target()?))
            // No path of the building machine belongs into the object.
            .arg(format!("-ffile-prefix-map={}=bpf", sources.display()))
            .arg("-I")
            .arg(&sources)
            .arg("-I")
            .arg(&headers)
            .arg("-c")
            .arg(&source)
            .arg("-o")
            .arg(&object)
            .status()
            .map_err(|error| format!("cannot run `{CLANG}` ({error}): run `scripts/setup`"))?;
        if !status.success() {
            return Err(format!("`{CLANG}` could not compile `{}`", source.display()).into());
        }
    }
    Ok(())
}

/// The architecture by libbpf's name for it.
fn target() -> Result<&'static str, Box<dyn Error>> {
    match std::env::var("CARGO_CFG_TARGET_ARCH")?.as_str() {
        "x86_64" => Ok("x86"),
        other => Err(format!("the BPF programs know x86-64 only, not `{other}`").into()),
    }
}
