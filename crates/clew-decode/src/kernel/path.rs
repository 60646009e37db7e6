//! Makes paths: out of the kernel's components, or out of what a caller gave.
//!
//! The kernel walks from the leaf to the root, so its components come in that order; here they are
//! turned round. What a caller gave is made absolute by text alone (`.`, `..` and doubled slashes
//! go): links in it are not followed, because by now they may lead elsewhere.

use clew_event::Text;

/// What stands for the part of a path that the kernel did not resolve.
const UNRESOLVED: &[u8] = b"...";

/// The path of components that each end with a slash, leaf first.
pub(super) fn from_components(components: &[u8], was_truncated: bool) -> Text {
    let mut path = Vec::with_capacity(components.len() + UNRESOLVED.len() + 1);
    if was_truncated {
        path.extend_from_slice(UNRESOLVED);
    }
    let listed = components.strip_suffix(b"/").unwrap_or(components);
    for component in listed.rsplit(|&byte| byte == b'/') {
        // The root's own name is `/`, which comes as empty components.
        if !component.is_empty() {
            path.push(b'/');
            path.extend_from_slice(component);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path.into()
}

/// The components that make exactly this path; `None` where no whole list of them does.
pub(super) fn to_components(path: &Text) -> Option<Vec<u8>> {
    let mut components = Vec::with_capacity(path.as_bytes().len());
    for component in path.as_bytes().rsplit(|&byte| byte == b'/') {
        if !component.is_empty() {
            components.extend_from_slice(component);
            components.push(b'/');
        }
    }
    (from_components(&components, false) == *path).then_some(components)
}

/// `given` as an absolute path, starting from `base` where it is relative.
///
/// Where the base is not known, it stays as given.
pub(super) fn absolute(base: &Text, given: &[u8]) -> Text {
    let is_absolute = given.starts_with(b"/");
    if given.is_empty() || (!is_absolute && base.is_empty()) {
        return given.into();
    }
    if is_absolute && !needs_cleaning(given) {
        return given.into();
    }
    let start = if is_absolute { &[][..] } else { base.as_bytes() };
    let mut path = Vec::with_capacity(start.len() + given.len() + 1);
    let parts = start.split(|&byte| byte == b'/').chain(given.split(|&byte| byte == b'/'));
    for part in parts {
        match part {
            b"" | b"." => {}
            b".." => {
                let parent = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                path.truncate(parent);
            }
            name => {
                path.push(b'/');
                path.extend_from_slice(name);
            }
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path.into()
}

fn needs_cleaning(path: &[u8]) -> bool {
    path.windows(2).any(|pair| pair == b"//" || pair == b"/.") || path.ends_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_turned_round() {
        let check = |components: &str, was_truncated, path: &str| {
            assert_eq!(from_components(components.as_bytes(), was_truncated), path.into());
        };
        check("shadow/etc/", false, "/etc/shadow");
        check("", false, "/");
        check("//", false, "/");
        check("memfd:x/", false, "/memfd:x");
        check("c/b/", true, ".../b/c");
    }

    #[test]
    fn a_path_is_turned_back_only_where_it_comes_out_the_same() {
        let check = |path: &str, components: Option<&str>| {
            let expected = components.map(|components| components.as_bytes().to_vec());
            assert_eq!(to_components(&path.into()), expected, "{path}");
        };
        check("/etc/shadow", Some("shadow/etc/"));
        check("/", Some(""));
        check("/memfd:x", Some("memfd:x/"));
        for odd in [".../b/c", "relative", "/a/", "//a", ""] {
            check(odd, None);
        }
    }

    #[test]
    fn a_given_path_is_made_absolute_by_text() {
        let check = |base: &str, given: &str, path: &str| {
            assert_eq!(absolute(&base.into(), given.as_bytes()), path.into());
        };
        check("/tmp", "x", "/tmp/x");
        check("/", "x", "/x");
        check("/tmp/a", "../b/./c", "/tmp/b/c");
        check("", "/etc/shadow", "/etc/shadow");
        check("/tmp", "/etc//../etc/shadow", "/etc/shadow");
        check("/", "../..", "/");
        check("/a", "/b/", "/b");
        check("", "x", "x");
        check("/tmp", "", "");
        check("/tmp", "/x/.hidden", "/x/.hidden");
    }
}
