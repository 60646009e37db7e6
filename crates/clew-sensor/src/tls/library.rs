//! What can be seen in a file of programs: functions of a TLS library, or that there is one whose
//! functions have no names.

use std::fs::File;
use std::os::unix::fs::FileExt;

use memchr::memmem;

use super::elf::Elf;
use super::go::Table;

/// Bytes of one file that are searched for marks of a library without symbols.
pub(super) const SEARCHED_BYTES_MAX: u64 = 64 << 20;

const SEARCHED_AT_ONCE: usize = 1 << 20;
const MARK_BYTES_MAX: usize = 32;

/// Functions of OpenSSL (which BoringSSL and LibreSSL have too) and GnuTLS → programs.
const FUNCTIONS: [(&str, &str); 8] = [
    ("SSL_write", "on_tls_write"),
    ("SSL_write_ex", "on_tls_write"),
    ("SSL_read", "on_tls_read"),
    ("SSL_read_ex", "on_tls_read_ex"),
    ("SSL_free", "on_tls_free"),
    ("gnutls_record_send", "on_tls_write"),
    ("gnutls_record_recv", "on_tls_read"),
    ("gnutls_deinit", "on_tls_free"),
];
const READS: [&str; 2] = ["on_tls_read", "on_tls_read_ex"];

/// What a program holds where a library was built in: names of its source files, in its errors.
const MARKS: [(&str, &str); 3] = [
    ("rustls", "/rustls-0."),
    ("OpenSSL or BoringSSL", "ssl/ssl_lib.c"),
    ("mbed TLS", "library/ssl_tls.c"),
];

/// A place at which a program of ours is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) program: &'static str,
    /// Counted from the start of the file.
    pub(super) offset: u64,
    /// It runs when the function that begins there returns.
    pub(super) is_return: bool,
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No TLS library that is known.
    Nothing,
    /// Where to look on.
    Probes(Vec<Probe>),
    /// A library that cannot be looked into, and why.
    Blind(String),
}

/// Looks a file through.
pub(super) fn look(file: &File) -> Found {
    let Some(elf) = Elf::open(file) else { return Found::Nothing };
    let names = FUNCTIONS.map(|(name, _)| name);
    let found = elf.functions(&names);
    let mut probes = Vec::new();
    for (name, program) in FUNCTIONS {
        let Some(&offset) = found.get(name) else { continue };
        probes.push(Probe { program, offset, is_return: false });
        if READS.contains(&program) {
            probes.push(Probe { program: "on_tls_read_done", offset, is_return: true });
        }
    }
    match Table::of(&elf) {
        Some(Ok(table)) => match of_go(&table) {
            Some(of_go) => probes.extend(of_go),
            None if probes.is_empty() => return Found::Nothing,
            None => {}
        },
        Some(Err(_)) => {
            return Found::Blind("it was built by a release of Go that is not known".to_owned());
        }
        None => {}
    }
    if probes.is_empty() { Found::Nothing } else { Found::Probes(probes) }
}

/// Looks a program through into which a library may have been built.
pub(super) fn look_for_marks(file: &File) -> Found {
    mark_in(file).map_or(Found::Nothing, |library| {
        Found::Blind(format!("{library} was built into it without names of functions"))
    })
}

/// Places in a Go program; `None` where it does not use `crypto/tls`.
fn of_go(table: &Table<'_>) -> Option<Vec<Probe>> {
    let write = table.function("crypto/tls.(*Conn).Write")?;
    let read = table.function("crypto/tls.(*Conn).Read")?;
    let close = table.function("crypto/tls.(*Conn).Close");
    let at = |program, offset| Probe { program, offset, is_return: false };
    let mut probes = vec![at("on_go_write", write.entry), at("on_go_read", read.entry)];
    probes.extend(read.returns.into_iter().map(|place| at("on_go_read_done", place)));
    probes.extend(close.map(|close| at("on_go_close", close.entry)));
    Some(probes)
}

/// The library whose mark stands in the file.
fn mark_in(file: &File) -> Option<&'static str> {
    let mut bytes = vec![0; SEARCHED_AT_ONCE + MARK_BYTES_MAX];
    let mut at = 0;
    while at < SEARCHED_BYTES_MAX {
        // Pieces overlap by the length of a mark.
        let count = file.read_at(&mut bytes, at).ok()?;
        let read = bytes.get(..count)?;
        let found = MARKS.iter().find(|(_, mark)| memmem::find(read, mark.as_bytes()).is_some());
        if let Some((library, _)) = found {
            return Some(library);
        }
        if count <= MARK_BYTES_MAX {
            return None;
        }
        at += u64::try_from(count - MARK_BYTES_MAX).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_library_without_symbols_is_told_by_its_mark_within_what_is_searched() {
        let mut file = tempfile::tempfile().expect("a file");
        // Across the border of two pieces.
        file.write_all(&vec![b'.'; SEARCHED_AT_ONCE + MARK_BYTES_MAX - 4]).expect("writes");
        file.write_all(b"/rustls-0.23.31/src/conn.rs").expect("writes");
        assert_eq!(mark_in(&file), Some("rustls"));
        let mut far = tempfile::tempfile().expect("a file");
        far.set_len(SEARCHED_BYTES_MAX + (2 << 20)).expect("a hole");
        std::io::Seek::seek(&mut far, std::io::SeekFrom::End(0)).expect("seeks");
        far.write_all(b"/rustls-0.23.31").expect("writes");
        assert_eq!(mark_in(&far), None);
    }

    #[test]
    fn every_mark_fits_the_overlap() {
        assert!(MARKS.iter().all(|(_, mark)| mark.len() <= MARK_BYTES_MAX));
    }

    #[test]
    fn what_is_no_program_has_nothing_to_look_on() {
        assert_eq!(look(&tempfile::tempfile().expect("a file")), Found::Nothing);
    }
}
