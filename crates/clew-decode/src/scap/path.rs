//! Paths joined as text: nothing but the capture knows links and mounts.

use clew_event::Text;

/// `path` below `directory` where it is relative, without `.`, `..` and doubled slashes.
pub(super) fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let (directory, path) =
        if path.starts_with(b"/") { (&b""[..], path) } else { (directory, path) };
    let is_absolute = directory.starts_with(b"/") || directory.is_empty() && path.starts_with(b"/");
    if is_plain(path) && directory.is_empty() {
        return path.to_vec();
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let parts = directory.split(|&byte| byte == b'/').chain(path.split(|&byte| byte == b'/'));
    for part in parts {
        match part {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(&last) if last != b".." => {
                    kept.pop();
                }
                _ if is_absolute => {}
                _ => kept.push(part),
            },
            _ => kept.push(part),
        }
    }
    let mut whole = Vec::with_capacity(directory.len() + path.len() + 1);
    for part in &kept {
        if is_absolute || !whole.is_empty() {
            whole.push(b'/');
        }
        whole.extend_from_slice(part);
    }
    if whole.is_empty() && is_absolute {
        whole.push(b'/');
    }
    whole
}

/// True for an absolute path in which nothing is to be taken out.
fn is_plain(path: &[u8]) -> bool {
    path.starts_with(b"/")
        && !path.ends_with(b"/")
        && !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."))
}

pub(super) fn with_final_slash(directory: &[u8]) -> Text {
    if directory.ends_with(b"/") || directory.is_empty() {
        return Text::from(directory);
    }
    Text::from([directory, b"/"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_dots() {
        let check = |directory: &str, path: &str, expected: &str| {
            let whole = joined(directory.as_bytes(), path.as_bytes());
            assert_eq!(String::from_utf8_lossy(&whole), expected);
        };
        check("/srv/", "a/./b/../c", "/srv/a/c");
        check("/srv", "/etc//passwd", "/etc/passwd");
        check("/", "../../x", "/x");
        check("/srv/", ".", "/srv");
        check("/", "", "/");
        check("", "a/b", "a/b");
        check("", "/etc/passwd", "/etc/passwd");
        check("/", "/", "/");
        check("/a", "/.hidden", "/.hidden");
    }
}
