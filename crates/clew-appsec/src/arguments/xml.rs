//! Texts, attributes and the document type of an XML document.

use std::borrow::Cow;

use super::{Arguments, Place};

impl<'a> Arguments<'a> {
    pub(super) fn xml(&mut self, bytes: &'a [u8]) {
        let mut rest = bytes;
        let mut element: &[u8] = b"";
        while !rest.is_empty() {
            let at = rest.iter().position(|&byte| byte == b'<').unwrap_or(rest.len());
            let (text, behind) = rest.split_at(at);
            if !text.trim_ascii().is_empty() {
                self.push(Place::Xml, Cow::Borrowed(element), Cow::Borrowed(text));
            }
            rest = if let Some(behind) = behind.strip_prefix(b"<![CDATA[") {
                let (text, behind) = until(behind, b"]]>");
                self.push(Place::Xml, Cow::Borrowed(element), Cow::Borrowed(text));
                behind
            } else if let Some(comment) = behind.strip_prefix(b"<!--") {
                until(comment, b"-->").1
            } else if behind.starts_with(b"<?") {
                until(behind, b"?>").1
            } else if behind.starts_with(b"<!") {
                let (subset, behind) = document_type(behind);
                self.push(Place::Xml, Cow::Borrowed(b"!DOCTYPE"), Cow::Borrowed(subset));
                behind
            } else {
                let (tag, behind) = tag(behind.get(1..).unwrap_or_default());
                if let Some(name) = self.tag(tag) {
                    element = name;
                }
                behind
            };
        }
    }

    /// Adds the attributes of a tag; gives the name of an opened element.
    fn tag(&mut self, tag: &'a [u8]) -> Option<&'a [u8]> {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'/';
        let end = tag.iter().position(ends).unwrap_or(tag.len());
        let (name, mut rest) = tag.split_at(end);
        while let Some(at) = rest.iter().position(|&byte| byte == b'=') {
            let (key, behind) = rest.split_at(at);
            let behind = behind.get(1..).unwrap_or_default().trim_ascii_start();
            let (value, behind) = match behind.split_first() {
                Some((quote @ (b'"' | b'\''), behind)) => until(behind, &[*quote]),
                _ => until(behind, b" "),
            };
            self.push(Place::Xml, Cow::Borrowed(key.trim_ascii()), Cow::Borrowed(value));
            rest = behind;
        }
        (!name.is_empty()).then_some(name)
    }
}

fn until<'a>(bytes: &'a [u8], end: &[u8]) -> (&'a [u8], &'a [u8]) {
    match bytes.windows(end.len()).position(|it| it == end) {
        Some(at) => {
            let (head, behind) = bytes.split_at(at);
            (head, behind.get(end.len()..).unwrap_or_default())
        }
        None => (bytes, b""),
    }
}

/// A tag to its `>`, which may stand in a quoted value.
fn tag(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => {
                let (tag, behind) = bytes.split_at(at);
                return (tag, behind.get(1..).unwrap_or_default());
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    (bytes, b"")
}

/// A declaration with what it has in brackets.
fn document_type(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut is_inner = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'[' => is_inner = true,
            b']' => is_inner = false,
            b'>' if !is_inner => return bytes.split_at(at + 1),
            _ => {}
        }
    }
    (bytes, b"")
}
