//! Which processes are looked into.

use clew_event::ContainerId;
use clew_event::container::ContainerEvent;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use crate::cgroups;

/// Containers whose names are remembered.
pub(super) const CONTAINERS_MAX: usize = 16_384;

/// Whose TLS is looked into. In a pattern `*` stands for any text and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every process of the machine.
    All,
    /// Processes whose executable's path, as they see it, matches.
    Executable(String),
    /// Processes of containers whose name matches.
    Container(String),
    /// Processes of containers whose image, as it was asked for, matches.
    Image(String),
}

/// A text that selects no process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` selects nothing: give `all`, `exe=GLOB`, `container=GLOB` or `image=GLOB`")]
pub struct SelectorError(String);

impl FromStr for Selector {
    type Err = SelectorError;

    /// Reads `all`, `exe=GLOB`, `container=GLOB` or `image=GLOB`.
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        match text.split_once('=') {
            None if text == "all" => Ok(Self::All),
            Some(("exe", glob)) if !glob.is_empty() => Ok(Self::Executable(glob.into())),
            Some(("container", glob)) if !glob.is_empty() => Ok(Self::Container(glob.into())),
            Some(("image", glob)) if !glob.is_empty() => Ok(Self::Image(glob.into())),
            None | Some(_) => Err(SelectorError(text.to_owned())),
        }
    }
}

/// Name and image of the containers that were told.
#[derive(Debug, Default)]
pub(super) struct Containers {
    known: BTreeMap<ContainerId, (Vec<u8>, Vec<u8>)>,
}

impl Containers {
    /// Remembers a container; false where there are too many.
    pub(super) fn learn(&mut self, id: ContainerId, event: &ContainerEvent) -> bool {
        if self.known.len() == CONTAINERS_MAX && !self.known.contains_key(&id) {
            return false;
        }
        self.known.insert(id, (event.name.as_bytes().to_vec(), event.image.as_bytes().to_vec()));
        true
    }

    pub(super) fn forget(&mut self, id: &ContainerId) {
        self.known.remove(id);
    }

    /// Whether one of `selectors` means the process.
    pub(super) fn is_selected(&self, selectors: &[Selector], pid: u32) -> bool {
        let needs_container =
            |one: &Selector| matches!(one, Selector::Container(_) | Selector::Image(_));
        let listed = selectors
            .iter()
            .any(needs_container)
            .then(|| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default());
        let id = listed.as_deref().and_then(cgroups::container_id).map(|id| ContainerId(id.into()));
        let container = id.and_then(|id| self.known.get(&id));
        let executable = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        selectors.iter().any(|selector| match selector {
            Selector::All => true,
            Selector::Executable(pattern) => is_path_like(pattern, &executable),
            Selector::Container(pattern) => {
                container.is_some_and(|(name, _)| is_like(pattern.as_bytes(), name))
            }
            Selector::Image(pattern) => {
                container.is_some_and(|(_, image)| is_like(pattern.as_bytes(), image))
            }
        })
    }
}

fn is_path_like(pattern: &str, path: &Path) -> bool {
    is_like(pattern.as_bytes(), path.as_os_str().as_bytes())
}

/// Whether `text` is as `pattern` says. What a `*` took is widened only from the last one on, so
/// the time is bounded by the product of both lengths.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read, mut star) = (0, 0, None);
    while let Some(byte) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                read = taken + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_whole_text() {
        let check = |pattern: &str, text: &str, is_like_it: bool| {
            assert_eq!(
                is_like(pattern.as_bytes(), text.as_bytes()),
                is_like_it,
                "{pattern} {text}"
            );
        };
        check("/usr/sbin/nginx", "/usr/sbin/nginx", true);
        check("/usr/sbin/nginx", "/usr/sbin/nginx2", false);
        check("*/python3*", "/usr/bin/python3.11", true);
        check("*/python3*", "/usr/bin/perl", false);
        check("shop-?", "shop-1", true);
        check("shop-?", "shop-", false);
        check("*a*b*c", "aabbabc", true);
        check("*", "", true);
        check("", "x", false);
    }

    #[test]
    fn a_selector_is_read_as_it_is_written_on_the_command_line() {
        let check = |text: &str, expected: Option<Selector>| {
            assert_eq!(text.parse::<Selector>().ok(), expected, "{text}");
        };
        check("all", Some(Selector::All));
        check("exe=*/nginx", Some(Selector::Executable("*/nginx".into())));
        check("container=shop-?", Some(Selector::Container("shop-?".into())));
        check("image=shop:*=1", Some(Selector::Image("shop:*=1".into())));
        for wrong in ["", "All", "exe=", "pid=1", "nginx"] {
            check(wrong, None);
        }
    }

    #[test]
    fn this_process_is_selected_by_its_executable_and_by_all() {
        let pid = std::process::id();
        let own = std::env::current_exe().expect("a path").display().to_string();
        let containers = Containers::default();
        assert!(containers.is_selected(&[Selector::Executable(own)], pid));
        assert!(containers.is_selected(&[Selector::All], pid));
        let other = [Selector::Executable("/bin/none".to_owned()), Selector::Image("*".to_owned())];
        assert!(!containers.is_selected(&other, pid));
        assert!(!containers.is_selected(&[], pid));
    }

    #[test]
    fn containers_beyond_the_bound_are_refused_and_room_is_made_by_their_end() {
        let mut containers = Containers::default();
        let id = |number: usize| ContainerId(number.to_string().into());
        let event = ContainerEvent::default();
        assert!((0..CONTAINERS_MAX).all(|number| containers.learn(id(number), &event)));
        assert!(!containers.learn(id(CONTAINERS_MAX), &event));
        containers.forget(&id(0));
        assert!(containers.learn(id(CONTAINERS_MAX), &event));
    }
}
