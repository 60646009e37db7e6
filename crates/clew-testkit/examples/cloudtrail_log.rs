//! Prints so many bytes (or a little more) of a generated log of CloudTrail.
//!
//! `cargo run --release -p clew-testkit --example cloudtrail_log -- BYTES | clew replay /dev/stdin`

use std::error::Error;
use std::io::{self, Write as _};

use clew_testkit::cloudtrail::Log;

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: u64 = std::env::args().nth(1).ok_or("usage: cloudtrail_log BYTES")?.parse()?;
    let (mut log, mut text, mut written) = (Log::new(1), String::new(), 0);
    let mut out = io::stdout().lock();
    while written < wanted {
        text.clear();
        log.batch(&mut text);
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
    }
    Ok(())
}
