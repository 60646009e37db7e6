//! Path prefixes by components, for `pmatch`.
//!
//! `/etc` matches `/etc` and `/etc/passwd`, not `/etcetera`; a component of a prefix may be a
//! shell pattern. A prefix of another prefix swallows it, as in the original.

use rustc_hash::FxHashMap;

use super::glob::Glob;

/// A set of path prefixes.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathPrefixes {
    root: Directory,
}

#[derive(Clone, Debug, Default)]
struct Directory {
    /// True where a prefix ends here; then nothing is below.
    is_end: bool,
    exact: FxHashMap<Box<[u8]>, Self>,
    /// Patterns, in any order: one that matches is enough.
    globs: Vec<(Box<[u8]>, Glob, Self)>,
}

impl PathPrefixes {
    pub(crate) fn new<'a>(prefixes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut set = Self::default();
        for prefix in prefixes {
            set.root.add(components(prefix));
        }
        set
    }

    /// True where one of the prefixes is one of `path`.
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        self.root.matches(components(path))
    }
}

impl Directory {
    fn add<'a>(&mut self, components: impl Iterator<Item = &'a [u8]>) {
        let mut directory = self;
        for component in components {
            if directory.is_end {
                return;
            }
            directory = directory.child(component);
        }
        *directory = Self { is_end: true, ..Self::default() };
    }

    fn child(&mut self, component: &[u8]) -> &mut Self {
        if !component.iter().any(|byte| matches!(byte, b'?' | b'*' | b'[')) {
            return self.exact.entry(component.into()).or_default();
        }
        let position = self.globs.iter().position(|(text, ..)| **text == *component);
        let mut found = match position {
            Some(position) => self.globs.split_off(position),
            None => vec![(component.into(), Glob::new(component, false), Self::default())],
        };
        // The one wanted comes first; the order of the others among them does not matter.
        found.append(&mut self.globs);
        self.globs = found;
        match self.globs.first_mut() {
            Some((_, _, directory)) => directory,
            None => self.exact.entry(component.into()).or_default(),
        }
    }

    fn matches<'a>(&self, mut components: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
        if self.is_end {
            return true;
        }
        let Some(component) = components.next() else { return false };
        let exact = self.exact.get(component);
        if exact.is_some_and(|directory| directory.matches(components.clone())) {
            return true;
        }
        self.globs.iter().any(|(_, glob, directory)| {
            glob.matches(component) && directory.matches(components.clone())
        })
    }
}

/// The parts between slashes that are not empty.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_by_whole_components() {
        let check = |prefixes: &[&str], path: &str, expected: bool| {
            let set = PathPrefixes::new(prefixes.iter().map(|prefix| prefix.as_bytes()));
            assert_eq!(set.matches(path.as_bytes()), expected, "{prefixes:?} {path}");
        };
        check(&["/etc"], "/etc/passwd", true);
        check(&["/etc"], "/etc", true);
        check(&["/etc"], "/etcetera", false);
        check(&["/var/run", "/var"], "/var/log", true);
        check(&["/var", "/var/run"], "/var/log", true);
        check(&["/var/run"], "/var", false);
        check(&["/"], "/anything", true);
        check(&["/home/*/.ssh"], "/home/a/.ssh/id", true);
        check(&["/home/*/.ssh"], "/home/a/b/.ssh", false);
        check(&["/home/a/x", "/home/*/y"], "/home/a/y", true);
        check(&[], "/etc", false);
        check(&["relative/path"], "/relative/path", true);
    }
}
