//! What the kernel says of this process, by the names that Prometheus's own clients use.
//!
//! Where `/proc` cannot be read the figure is left out: a zero would be a lie.

use std::fs;

use super::exposition::{Exposition, Kind};

/// Writes memory, CPU time and open files.
pub(super) fn write(page: &mut Exposition) {
    if let Some(bytes) = resident_bytes() {
        let help = "Resident memory size in bytes.";
        page.family("process_resident_memory_bytes", Kind::Gauge, help);
        page.sample(&[], bytes);
    }
    if let Some(seconds) = cpu_seconds() {
        let help = "Total user and system CPU time spent in seconds.";
        page.family("process_cpu_seconds_total", Kind::Counter, help);
        page.sample(&[], seconds);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.family("process_open_fds", Kind::Gauge, "Number of open file descriptors.");
        page.sample(&[], files.count());
    }
}

fn resident_bytes() -> Option<u64> {
    let sizes = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = cpu_ticks(&stat)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Fields 14 and 15 of proc_pid_stat(5). The name in field 2 may hold spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    const FIELDS_BETWEEN: usize = 11;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut times = rest.split(' ').skip(FIELDS_BETWEEN);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_a_name_with_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 9 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(cpu_seconds().is_some());
    }
}
