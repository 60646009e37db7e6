//! What cannot be seen here, in sentences: told with the node, and by `clew doctor`.
//!
//! `lab/evasion/verify` accepts an unseen evasion only where one of these sentences owns up to it,
//! so they name what is not seen, and not merely what is missing.

use crate::tier::T0s;
use crate::tls;

/// What no kernel lets these tiers see, beside what the tiers say of themselves.
const LIMITS: [&str; 4] = [
    "A file that is opened below a bind mount is told by the path it has there: only the mount \
     itself names where it comes from.",
    "A file that is opened by a second hard link is told by that name: only the making of the link \
     names the first one.",
    "Paths of calls that rename, link, remove or change a name are those that the caller gave, read \
     when the call returns: another thread may have changed them.",
    "A descriptor that another thread replaces before the open returns is told by the file that \
     replaced it.",
];

/// What stories have to say: the parts that the kernel refused, and what io_uring may hide.
pub(crate) fn refused(t0s: Result<&T0s, &libbpf_rs::Error>) -> Vec<String> {
    let t0s = match t0s {
        Ok(tier) => tier,
        Err(error) => {
            return vec![format!(
                "Files, sockets, credentials and calls on the kernel are not seen: the kernel \
                 refused tier T0s ({error})."
            )];
        }
    };
    let mut sentences = Vec::new();
    if let Some(error) = t0s.compat_refusal() {
        sentences.push(format!(
            "System calls by the 32-bit entry, `socketcall` among them, are counted and not told: \
             the kernel refused their programs ({error})."
        ));
    }
    // 2: nobody may use it (Documentation/admin-guide/sysctl/kernel.rst).
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    if disabled.is_ok_and(|level| level.trim() == "2") {
        return sentences;
    }
    sentences.push(match t0s.uring_refusal() {
        Some(error) => format!(
            "File and socket operations through io_uring are not seen: the kernel refused their \
             programs ({error})."
        ),
        None => {
            "Through io_uring only opens, connections and changes of names are seen.".to_owned()
        }
    });
    sentences
}

/// What stories have to say where messages to name servers are not seen.
pub(crate) fn nameless(error: &libbpf_rs::Error) -> String {
    format!(
        "Names that programs resolve are not seen, so rules about names of addresses do not match: \
         the kernel refused the programs at the root of cgroup version 2 ({error})."
    )
}

/// What stories have to say where requests to and by programs are not read.
pub(crate) fn requestless(error: &libbpf_rs::Error) -> String {
    format!(
        "Requests to and by programs are not read from their sockets: the kernel refused the \
         programs that do it ({error})."
    )
}

/// What stories have to say where stacks before execs are not copied.
pub(crate) fn stackless(error: &libbpf_rs::Error) -> String {
    format!(
        "Through which libraries a program was started is not seen: the kernel refused the \
         programs that copy the stack before it is gone ({error})."
    )
}

/// What the doctor says of stacks.
pub(crate) fn of_stacks(refusal: Option<&libbpf_rs::Error>) -> String {
    refusal.map_or_else(
        || {
            "Libraries are told of programs that start, of connections and of opens of files with \
             telling names: not of calls through io_uring or by the 32-bit entry, not beyond the \
             16 KiB of stack that are copied, and of Java and other runtimes only as far as they \
             keep frame pointers and write `/tmp/perf-PID.map`."
                .to_owned()
        },
        stackless,
    )
}

/// What the doctor says of requests.
pub(crate) fn of_requests(refusal: Option<&libbpf_rs::Error>) -> String {
    refusal.map_or_else(
        || {
            "Of HTTP what passes plain through stream sockets is read: not what is sent and \
             received through io_uring or by the 32-bit entry, not what `sendfile` and `splice` \
             move, and of a long body its beginning."
                .to_owned()
        },
        requestless,
    )
}

/// What the doctor says of TLS.
pub(crate) const OF_TLS: &str = "\
    What is encrypted is read only of workloads that were selected for it, and where OpenSSL, \
    BoringSSL, GnuTLS or Go takes and gives the plain text: not of libraries that were built in \
    without names of functions (rustls among them), of Java, .NET and NSS, not what \
    `SSL_sendfile` and BIO filters of OpenSSL move, and not the first milliseconds of a program.";

/// What stories have to say where no workload was selected.
const TLS_UNSELECTED: &str =
    "What programs send and receive by TLS is not read: no workload was selected for it.";

/// Files of selected workloads that are named; of further ones the number is told.
const TLS_FILES_MAX: usize = 16;

/// What stories have to say of TLS, where it is looked into or not.
pub(crate) fn of_tls(status: Option<tls::Status>) -> Vec<String> {
    let Some(status) = status else { return vec![TLS_UNSELECTED.to_owned()] };
    let mut sentences = status.blind_spots;
    let more = sentences.len().saturating_sub(TLS_FILES_MAX);
    sentences.truncate(TLS_FILES_MAX);
    if 0 < more {
        sentences.push(format!("What {more} more files send and receive by TLS is not seen."));
    }
    let tls::Counts { processes_refused, files_refused, containers_refused, .. } = status.counts;
    if 0 < processes_refused + files_refused + containers_refused {
        sentences.push(
            "What some selected programs send and receive by TLS is not seen: there are too many."
                .to_owned(),
        );
    }
    sentences
}

/// What the doctor says of names.
pub(crate) fn of_names(refusal: Option<&libbpf_rs::Error>) -> String {
    refusal.map_or_else(
        || {
            "Names of addresses are those that name servers answered to programs while Clew \
             watched: a hosts file, and questions over TLS, over HTTPS or through a packet socket \
             are not seen."
                .to_owned()
        },
        nameless,
    )
}

/// Everything that the doctor says.
pub(crate) fn all(t0s: Result<&T0s, &libbpf_rs::Error>) -> Vec<String> {
    let mut sentences = refused(t0s);
    let Ok(tier) = t0s else { return sentences };
    sentences.extend(LIMITS.map(str::to_owned));
    if tier.uring_refusal().is_none() {
        sentences.push(
            "An open through io_uring whose completion the caller withholds is told by its name, \
             with links not followed and without its result."
                .to_owned(),
        );
    }
    if tier.compat_refusal().is_none() {
        sentences
            .push("The old 32-bit `umount` of one argument is counted and not told.".to_owned());
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_system_calls_nothing_else_is_said() {
        let error = libbpf_rs::Error::from(std::io::Error::other("no"));
        let said = all(Err(&error));
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("tier T0s (no)"), "{said:?}");
    }

    #[test]
    fn where_names_are_not_seen_the_reason_is_told() {
        let error = libbpf_rs::Error::from(std::io::Error::other("no"));
        assert!(of_names(Some(&error)).contains("version 2 (no)"));
        assert!(of_names(None).contains("hosts file"));
    }

    #[test]
    fn where_stacks_are_not_copied_the_reason_is_told() {
        let error = libbpf_rs::Error::from(std::io::Error::other("no"));
        assert!(of_stacks(Some(&error)).contains("it is gone (no)"));
        assert!(of_stacks(None).contains("16 KiB"));
    }

    #[test]
    fn where_requests_are_not_read_the_reason_is_told() {
        let error = libbpf_rs::Error::from(std::io::Error::other("no"));
        assert!(of_requests(Some(&error)).contains("that do it (no)"));
        assert!(of_requests(None).contains("sendfile"));
    }

    #[test]
    fn stories_name_what_is_not_seen_of_tls_up_to_a_bound() {
        assert_eq!(of_tls(None), [TLS_UNSELECTED]);
        assert!(of_tls(Some(tls::Status::default())).is_empty());
        let blind_spots = (0..=TLS_FILES_MAX).map(|file| format!("File {file}.")).collect();
        let counts = tls::Counts { files_refused: 1, ..tls::Counts::default() };
        let told = of_tls(Some(tls::Status { blind_spots, counts, ..tls::Status::default() }));
        assert_eq!(told.len(), TLS_FILES_MAX + 2);
        assert_eq!(told[TLS_FILES_MAX], "What 1 more files send and receive by TLS is not seen.");
    }
}
