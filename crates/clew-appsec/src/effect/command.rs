//! Command injection: a piece of a request is syntax in what a shell was given, or a command itself.
//!
//! An argument that a program gets as one word is the normal case and says nothing, whatever is in
//! it; nor does one within quotes. What counts is a separator, expansion or word of its own.

use std::ops::Range;

use clew_event::Text;
use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use super::fragment::{self, Fragment, find};
use super::{Kind, Proof};
use crate::arguments::Place;

/// Longest script of a shell that is read.
pub(super) const SCRIPT_BYTES_MAX: usize = 16 << 10;
/// Most commands that a piece is split into.
pub(super) const COMMANDS_MAX: usize = 32;
/// Most bytes of a command that are told.
pub(super) const SHOWN_BYTES_MAX: usize = 96;

const SHELLS: &[&[u8]] =
    &[b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"csh", b"tcsh", b"busybox", b"fish"];
/// What attackers' code starts first, beside shells.
const TOOLS: &[&[u8]] = &[
    b"id",
    b"whoami",
    b"uname",
    b"curl",
    b"wget",
    b"nc",
    b"ncat",
    b"socat",
    b"perl",
    b"hostname",
    b"ifconfig",
    b"cat",
    b"base64",
    b"telnet",
    b"nslookup",
    b"dig",
    b"touch",
];

/// A child that took a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child<'a> {
    pub(super) exe: &'a [u8],
    pub(super) argv: &'a [Text],
    pub(super) is_dropped: bool,
}

impl<'a> Child<'a> {
    fn name(&self) -> &'a [u8] {
        base_name(self.exe)
    }

    fn is_shell(&self) -> bool {
        let given = self.argv.first().map_or(&b""[..], |it| it.file_name());
        SHELLS.contains(&self.name()) || SHELLS.contains(&given)
    }

    /// What a shell was given behind `-c`.
    fn script(&self) -> Option<&'a [u8]> {
        if !self.is_shell() {
            return None;
        }
        let mut left = self.argv.iter().skip(1);
        left.by_ref().find(|it| {
            let it = it.as_bytes();
            it.starts_with(b"-") && !it.starts_with(b"--") && it.ends_with(b"c")
        })?;
        let script = left.find(|it| it.as_bytes() != b"--")?.as_bytes();
        script.get(..SCRIPT_BYTES_MAX.min(script.len()))
    }

    fn shown(&self) -> String {
        let mut line: Vec<u8> = Vec::new();
        for word in self.argv {
            line.extend_from_slice(word.as_bytes());
            line.push(b' ');
        }
        let line = line.trim_ascii_end();
        let line = if line.is_empty() { self.exe } else { line };
        format!(
            "ran `{}`",
            escaped(line.get(..SHOWN_BYTES_MAX.min(line.len())).unwrap_or_default())
        )
    }
}

pub(super) fn judge(child: &Child<'_>, request: &HttpRequest) -> Option<Proof> {
    let script = child.script().map(|script| (script, active(script)));
    let matched = fragment::best(request, |fragment| {
        dropped(child, fragment)
            .or_else(|| match &script {
                Some((script, active)) => in_script(child, (script, active), fragment),
                None => as_command(child, fragment),
            })
            .or_else(|| as_option(child, fragment))
    });
    if matched.is_some() {
        return matched;
    }
    if child.is_dropped {
        let did = format!("{}, which was written after its start", child.shown());
        return Some(unmatched(Kind::DroppedProgram, 10.0, did));
    }
    let is_telling = child.is_shell() || TOOLS.contains(&child.name());
    // Where the text itself lies quoted in the script, the application asked the shell as it always
    // does; code that runs does not hand itself on.
    let is_handed_on = |fragment: &Fragment<'_>| {
        child.argv.iter().any(|word| find(word.as_bytes(), fragment.bytes).is_some())
    };
    let holds_code = |fragment: &Fragment<'_>| code(fragment).filter(|_| !is_handed_on(fragment));
    if is_telling && fragment::best(request, holds_code).is_some() {
        return Some(unmatched(Kind::Code, 9.0, child.shown()));
    }
    None
}

const fn unmatched(kind: Kind, bits: f64, did: String) -> Proof {
    Proof {
        kind,
        bits,
        argument: String::new(),
        decoded: String::new(),
        piece: Vec::new(),
        did,
        destination: None,
    }
}

/// The file that runs has the name under which it was uploaded.
fn dropped(child: &Child<'_>, fragment: &Fragment<'_>) -> Option<Proof> {
    let name = base_name(fragment.bytes);
    let is_it = child.is_dropped && fragment.place == Place::FileName && name.len() > 2;
    (is_it && name == child.name())
        .then(|| fragment.proof(Kind::DroppedProgram, 16.0, name, child.shown()))
}

/// The piece is in the script, with syntax that is not quoted.
fn in_script(
    child: &Child<'_>,
    (script, active): (&[u8], &[bool]),
    fragment: &Fragment<'_>,
) -> Option<Proof> {
    let piece = fragment.bytes.trim_ascii();
    if piece.len() < fragment::PIECE_BYTES_MIN {
        return None;
    }
    let told = |bits: f64| Some(fragment.proof(Kind::Command, bits, piece, child.shown()));
    // A command line of its own, as a web shell takes it.
    if piece == script.trim_ascii() {
        return told(15.0);
    }
    let at = find(script, piece)?;
    let range: Range<usize> = at..at + piece.len();
    // Words of English stand in many scripts; syntax of a client's does not.
    if active.get(range.clone())?.contains(&true) {
        return told(16.0);
    }
    let is_begin = script.get(..at)?.trim_ascii().is_empty();
    (is_begin && piece.contains(&b' ')).then_some(())?;
    told(14.0)
}

/// For each byte, whether it is syntax that begins or joins commands.
fn active(script: &[u8]) -> Vec<bool> {
    let mut quote = None;
    let mut is_escaped = false;
    let mut found = Vec::with_capacity(script.len());
    for (at, &byte) in script.iter().enumerate() {
        let next = script.get(at + 1).copied().unwrap_or(0);
        if is_escaped {
            is_escaped = false;
            found.push(false);
            continue;
        }
        let expands = byte == b'`' || (byte == b'$' && matches!(next, b'(' | b'{'));
        let is_active = match quote {
            Some(b'\'') => false,
            Some(_) => expands,
            None => expands || matches!(byte, b';' | b'|' | b'&' | b'\n' | b'<' | b'>'),
        };
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None | Some(b'"'), b'\\') => is_escaped = true,
            _ => {}
        }
        found.push(is_active);
    }
    found
}

/// The child runs one of the commands that the piece consists of.
fn as_command(child: &Child<'_>, fragment: &Fragment<'_>) -> Option<Proof> {
    const ENDS: &[u8] = b";|&`\n\r(){}<>$";
    let is_joined = fragment.bytes.iter().any(|byte| ENDS.contains(byte));
    for command in fragment.bytes.split(|byte| ENDS.contains(byte)).take(COMMANDS_MAX) {
        let words: Vec<Vec<u8>> = command
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(|word| word.iter().copied().filter(|it| !b"'\"\\".contains(it)).collect())
            .collect();
        let Some(first) = words.first() else { continue };
        if words.len() != child.argv.len() || (words.len() < 2 && !is_joined) {
            continue;
        }
        let is_first = base_name(first) == child.name()
            || child.argv.first().is_some_and(|it| it.as_bytes() == first.as_slice());
        let is_rest =
            words.iter().zip(child.argv).skip(1).all(|(word, given)| word == given.as_bytes());
        if is_first && is_rest {
            return Some(fragment.proof(Kind::Command, 14.0, command.trim_ascii(), child.shown()));
        }
    }
    None
}

/// The piece is a word of its own, and an option.
fn as_option(child: &Child<'_>, fragment: &Fragment<'_>) -> Option<Proof> {
    let piece = fragment.bytes;
    let is_option = piece.starts_with(b"-")
        && piece.len() > 3
        && piece.iter().skip(1).find(|&&it| it != b'-').is_some_and(u8::is_ascii_alphabetic)
        && fragment.place != Place::Header;
    if !is_option {
        return None;
    }
    let before = child.argv.iter().skip(1).take_while(|it| it.as_bytes() != b"--");
    before
        .into_iter()
        .any(|it| it.as_bytes() == piece)
        .then(|| fragment.proof(Kind::Option, 9.0, piece, child.shown()))
}

/// A request that holds code for an interpreter, a template or a reader of objects.
fn code(fragment: &Fragment<'_>) -> Option<Proof> {
    const MARKS: &[&[u8]] = &[
        b"${jndi:",
        b"rO0AB",
        b"\xac\xed\x00\x05",
        b"__class__",
        b"__globals__",
        b"__import__",
        b"__proto__",
        b"<?php",
        b"child_process",
        b"Runtime",
        b"ProcessBuilder",
        b"!!python",
        b"_$$ND_FUNC",
        b"java.lang",
        b"T(java",
        b"freemarker",
        b"os.system",
        b"popen(",
        b"system(",
        b"exec(",
        b"passthru(",
        b"require(",
        b"subprocess",
        b"() {",
        b"#{",
        b"<%",
        b"cos\nsystem",
    ];
    let has = |mark: &&&[u8]| find(fragment.bytes, mark).is_some();
    let mark = MARKS.iter().find(has)?;
    Some(fragment.proof(Kind::Code, 9.0, mark, String::new()))
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/' || byte == b'\\').next().unwrap_or_default()
}
