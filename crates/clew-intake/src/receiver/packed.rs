//! Bodies packed by gzip, of which no more is unpacked than they tell, and than is allowed.

use std::io::Read as _;

use axum::body::Bytes;
use axum::http::StatusCode;
use flate2::read::GzDecoder;

use super::BODY_BYTES_MAX;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How long a body will be, by its last four bytes; `None` where it is not packed.
pub(super) fn length(body: &[u8]) -> Result<Option<usize>, StatusCode> {
    if body.starts_with(ZSTD) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if !body.starts_with(GZIP) {
        return Ok(None);
    }
    let told = body.last_chunk().ok_or(StatusCode::BAD_REQUEST)?;
    let length = u32::from_le_bytes(*told) as usize;
    if BODY_BYTES_MAX < length { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(Some(length)) }
}

/// Unpacks a body of which `length` is told; one that is packed twice, or lied, is refused.
pub(super) fn unpack(body: &[u8], length: usize) -> Result<Bytes, StatusCode> {
    let mut plain = Vec::with_capacity(length);
    let read = GzDecoder::new(body).take(length as u64 + 1).read_to_end(&mut plain);
    if read.ok() != Some(length) || plain.starts_with(GZIP) || plain.starts_with(ZSTD) {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_refused_before_or_while_it_is_unpacked() {
        let packed = gzip(&vec![b' '; BODY_BYTES_MAX + 1]);
        assert_eq!(length(&packed), Err(StatusCode::PAYLOAD_TOO_LARGE));
        let mut liar = packed;
        let told = liar.last_chunk_mut().unwrap();
        *told = 5_u32.to_le_bytes();
        assert_eq!(length(&liar), Ok(Some(5)));
        assert_eq!(unpack(&liar, 5), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn what_is_packed_once_and_whole_is_unpacked() {
        let packed = gzip(b"{}");
        assert_eq!((length(b"{}"), length(&packed)), (Ok(None), Ok(Some(2))));
        assert_eq!(unpack(&packed, 2).as_deref(), Ok(&b"{}"[..]));
        assert_eq!(unpack(&packed[..12], 2), Err(StatusCode::BAD_REQUEST));
        let twice = gzip(&packed);
        assert_eq!(unpack(&twice, packed.len()), Err(StatusCode::BAD_REQUEST));
        assert_eq!(length(ZSTD), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
