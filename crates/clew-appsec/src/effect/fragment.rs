//! Pieces of a request in every form that an application may have made of them.

use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use super::{Kind, Proof};
use crate::arguments::{Argument, Arguments, Place};
use crate::decoding::{self, Layer};

/// Shorter values are in everything.
pub(super) const PIECE_BYTES_MIN: usize = 2;
/// Most bytes of the name of an argument that are told.
const NAME_BYTES_MAX: usize = 64;

/// A value in one of its forms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) place: Place,
    pub(super) name: &'a [u8],
    pub(super) bytes: &'a [u8],
    layers: &'a [Layer],
}

impl Fragment<'_> {
    pub(super) fn proof(&self, kind: Kind, bits: f64, piece: &[u8], did: String) -> Proof {
        let name =
            escaped(self.name.get(..NAME_BYTES_MAX.min(self.name.len())).unwrap_or_default());
        let argument = if name.is_empty() {
            self.place.name().to_owned()
        } else {
            format!("{} `{name}`", self.place.name())
        };
        let decoded: Vec<_> = self.layers.iter().map(|layer| layer.name()).collect();
        let (decoded, piece) = (decoded.join(", "), piece.to_vec());
        Proof { kind, bits, argument, decoded, piece, did, destination: None }
    }

    /// Fields that proxies and browsers fill in: they name hosts and programs all the time.
    pub(super) fn is_of_the_client(&self) -> bool {
        self.place == Place::Header
            && (self.name.starts_with(b"x-forwarded")
                || matches!(
                    self.name,
                    b"host"
                        | b"referer"
                        | b"origin"
                        | b"forwarded"
                        | b"x-real-ip"
                        | b"via"
                        | b"user-agent"
                        | b"content-type"
                        | b"x-envoy-external-address"
                ))
    }
}

/// The proof with the most bits that `judge` gives for any form of any argument.
pub(super) fn best(
    request: &HttpRequest,
    judge: impl Fn(&Fragment<'_>) -> Option<Proof>,
) -> Option<Proof> {
    let arguments = Arguments::of(request);
    let mut best: Option<Proof> = None;
    let mut keep = |proof: Option<Proof>| {
        if let Some(proof) = proof
            && best.as_ref().is_none_or(|best| best.bits < proof.bits)
        {
            best = Some(proof);
        }
    };
    for Argument { place, name, value } in &arguments.list {
        for bytes in [value.as_ref(), name.as_ref()] {
            // Names of fields are not the client's; those of a query are, and a lone one is a
            // value, which Base64 may end by what looks like an empty one.
            let is_value = std::ptr::eq(bytes, value.as_ref());
            let is_alone = value.iter().all(|&byte| byte == b'=');
            if bytes.len() < PIECE_BYTES_MIN || (!is_value && !is_alone) {
                continue;
            }
            let shown: &[u8] = if is_value { name } else { b"" };
            let fragment = Fragment { place: *place, name: shown, bytes, layers: &[] };
            keep(judge(&fragment));
            for form in decoding::forms(bytes).list {
                keep(judge(&Fragment { bytes: &form.bytes, layers: &form.layers, ..fragment }));
            }
        }
    }
    best
}

/// Where `piece` first is in `bytes`.
pub(super) fn find(bytes: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return None;
    }
    bytes.windows(piece.len()).position(|it| it == piece)
}
