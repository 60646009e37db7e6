//! Files that a digest names, in the folder into which a bucket was copied.
//!
//! How much of a bucket's path the copy kept is told by the digest itself, which names the place it
//! was made for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use clew_decode::digest::{Digest, Place};

use crate::OBJECT_BYTES_MAX;

/// What a file holds as it lies there; `None` where it is not there.
pub(super) fn fetch(
    digest_path: &Path,
    digest: &Digest,
    place: &Place,
) -> Result<Option<Vec<u8>>, String> {
    let path = of(digest_path, &digest.place.key, &place.key);
    let path = path.ok_or_else(|| {
        let (path, given) = (digest_path.display(), &digest.place.key);
        format!("`{}` is not to be found from `{path}`, made as `{given}`", place.key)
    })?;
    match read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("`{}`: {error}", path.display())),
    }
}

/// A file, if it is not longer than any that is read.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(OBJECT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if OBJECT_BYTES_MAX < bytes.len() {
        return Err(io::Error::other(format!("longer than {OBJECT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// Where `other` lies, if `own` lies at `path`. Whoever wrote a digest does not lead us elsewhere.
fn of(path: &Path, own: &str, other: &str) -> Option<PathBuf> {
    let own: Vec<&str> = own.split('/').collect();
    let parts = path.components().rev().zip(own.iter().rev());
    let common = parts.take_while(|(part, name)| part.as_os_str() == **name).count();
    let root = path.ancestors().nth(common).filter(|_| 0 < common)?;
    let rest: PathBuf = other.split('/').skip(own.len() - common).collect();
    let is_below = rest.components().all(|part| matches!(part, Component::Normal(_)));
    (is_below && !rest.as_os_str().is_empty()).then(|| root.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_searched_as_deep_as_it_goes_and_nowhere_else() {
        let own = "AWSLogs/1/CloudTrail-Digest/r/2026/11/24/d.json.gz";
        let other = "AWSLogs/1/CloudTrail/r/2026/11/24/f.json.gz";
        let found = |path: &str, other: &str| {
            of(Path::new(path), own, other).map(|path| path.display().to_string())
        };
        let whole = format!("/copy/{own}");
        assert_eq!(found(&whole, other), Some(format!("/copy/{other}")));
        let part = found("/copy/CloudTrail-Digest/r/2026/11/24/d.json.gz", other);
        assert_eq!(part.as_deref(), Some("/copy/CloudTrail/r/2026/11/24/f.json.gz"));
        assert_eq!(found("/copy/d.json.gz", other).as_deref(), Some("/copy/f.json.gz"));
        assert_eq!(found("/copy/renamed.json.gz", other), None);
        assert_eq!(found(&whole, "../../../etc/passwd"), None);
        assert_eq!(found(&whole, "/etc/passwd").as_deref(), Some("/copy/etc/passwd"));
        assert_eq!(found("/copy/d.json.gz", "short"), None);
    }
}
