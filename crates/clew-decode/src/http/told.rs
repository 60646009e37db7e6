//! Requests as a log or a span tells them: whole, and without the bytes that were sent.
//!
//! They are read as those of sockets are: the same fields are starred, the same proxies believed,
//! and a user has the same hash.

use std::borrow::Cow;
use std::net::IpAddr;

use clew_event::http::{HttpRequest, HttpVersion};

use super::assembler::Settings;
use super::fields::Names;
use super::head::{Asked, FIELDS_MAX, Field, Fields, METHOD_BYTES_MAX};
use super::message::{self, Reading};
use super::principal;

/// A name with its value.
pub(crate) type Named<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// What is told of a request.
#[derive(Debug, Default)]
pub(crate) struct Told<'a> {
    pub(crate) method: Cow<'a, [u8]>,
    /// Path and query, perhaps behind scheme and host.
    pub(crate) target: Cow<'a, [u8]>,
    pub(crate) version: HttpVersion,
    /// Fields by their names in lower case; at most [`FIELDS_MAX`] are read.
    pub(crate) fields: Vec<Named<'a>>,
    /// The other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// As whom it was asked, by name; empty where that is not told.
    pub(crate) user: Cow<'a, [u8]>,
}

/// What requests are read with.
#[derive(Debug)]
pub(crate) struct Words {
    settings: Settings,
    names: Names,
}

impl Words {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), names: Names::new() }
    }

    /// The request that is told of.
    pub(crate) fn request(&self, told: &Told<'_>) -> HttpRequest {
        let fields = told.fields.iter().take(FIELDS_MAX);
        let fields = fields.map(|(name, value)| Field { name, value: Cow::Borrowed(value) });
        let fields = self.names.sort(Fields { fields: fields.collect(), ..Fields::default() });
        let method = told.method.get(..METHOD_BYTES_MAX).unwrap_or(&told.method);
        let asked =
            Asked { method, authority: b"", target: &told.target, version: HttpVersion::Http11 };
        let reading = Reading { settings: &self.settings, names: &self.names };
        let mut request = message::request(reading, asked, &fields, told.peer);
        request.version = told.version;
        if request.principal.is_none() && !told.user.is_empty() {
            request.principal = Some(principal::named(&self.settings.key, &told.user));
        }
        request
    }
}
