//! Which cgroups there are, and in which hierarchy containers have their own.
//!
//! A cgroup's id is the inode of its directory (`kernfs_node.id`), on both versions. Where version
//! 2 is mounted it is followed, at `/sys/fs/cgroup` or, on hybrid machines, at `unified` below it.
//! Some runtimes of hybrid machines make no directory there; then a running container is seen with
//! its id in a version 1 path only, and that hierarchy is followed instead.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clew_event::container::{CgroupEvent, Lifecycle};
use clew_event::{CgroupId, Text};

/// Directories that are told at the start; deeper trees are found when their processes act.
pub(crate) const CGROUPS_MAX: usize = 65_536;

/// Hexadecimal digits of a container id (Docker, containerd, CRI-O, podman).
pub(crate) const CONTAINER_ID_DIGITS: usize = 64;

/// The hierarchy whose paths name containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Where it is mounted; `None` where it is not.
    pub(crate) root: Option<PathBuf>,
    /// `None` for version 2; else the controller of the version 1 hierarchy.
    pub(crate) controller: Option<Controller>,
}

/// A controller of version 1 that every container runtime uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Pids,
}

impl Controller {
    const ALL: [Self; 2] = [Self::Memory, Self::Pids];

    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

impl Hierarchy {
    /// Chooses by what is mounted and by the containers that run.
    pub(crate) fn detect() -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Self::choose(&mounts, running_cgroups())
    }

    fn choose(mounts: &str, cgroups: impl IntoIterator<Item = String>) -> Self {
        let version_2 = mount_of(mounts, "cgroup2", None);
        let of_controller = |controller: Controller| Self {
            root: mount_of(mounts, "cgroup", Some(controller.name())),
            controller: Some(controller),
        };
        let mut version_1 = Controller::ALL.into_iter().map(of_controller);
        let version_1 = version_1.find(|hierarchy| hierarchy.root.is_some());
        let is_version_1_only = cgroups.into_iter().any(|listed| names_only_in_version_1(&listed));
        match (version_2, version_1) {
            (Some(root), Some(_)) if !is_version_1_only => {
                Self { root: Some(root), controller: None }
            }
            (_, Some(version_1)) => version_1,
            (root, None) => Self { root, controller: None },
        }
    }

    /// Every directory of the hierarchy, parents first, up to the bound.
    pub(crate) fn list(&self) -> Vec<CgroupEvent> {
        let Some(root) = &self.root else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut open = vec![root.clone()];
        while let Some(folder) = open.pop() {
            if found.len() == CGROUPS_MAX {
                break;
            }
            found.extend(event(root, &folder));
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(folders.map(|entry| entry.path()));
        }
        found
    }
}

fn event(root: &Path, folder: &Path) -> Option<CgroupEvent> {
    use std::os::unix::ffi::OsStrExt;
    let below = folder.strip_prefix(root).ok()?.as_os_str().as_bytes();
    let path = Text::from([b"/", below].concat());
    let inode = folder.metadata().ok()?.ino();
    Some(CgroupEvent { lifecycle: Lifecycle::Known, cgroup: CgroupId(inode), path })
}

/// Root of the version 2 hierarchy as far as this process sees it; `None` where none is mounted.
pub(crate) fn version_2() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    mount_of(&mounts, "cgroup2", None)
}

/// Where a file system of that type (with that option) is mounted, by `/proc/self/mounts`.
fn mount_of(mounts: &str, kind: &str, option: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        let has_option = option.is_none_or(|option| options.split(',').any(|one| one == option));
        (found == kind && has_option).then(|| PathBuf::from(place))
    })
}

/// The text of `/proc/PID/cgroup` of every process.
fn running_cgroups() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_process = |name: &std::ffi::OsStr| {
        name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    entries
        .filter(move |entry| is_process(&entry.file_name()))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cgroup")).ok())
}

/// Whether a container id stands in a version 1 path of this process, but in no version 2 path.
fn names_only_in_version_1(cgroup: &str) -> bool {
    let (version_2, version_1): (Vec<_>, Vec<_>) =
        cgroup.lines().partition(|line| line.starts_with("0::"));
    let names = |lines: &[&str]| lines.iter().any(|line| names_container(line));
    names(&version_1) && !names(&version_2)
}

/// Whether a path holds a container id.
fn names_container(path: &str) -> bool {
    container_id(path).is_some()
}

/// The container id in a path, or in a list of paths: 64 hexadecimal digits and no more.
pub(crate) fn container_id(path: &str) -> Option<&str> {
    let mut parts = path.split(|byte: char| !byte.is_ascii_alphanumeric());
    parts.find(|part| {
        part.len() == CONTAINER_ID_DIGITS && part.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                          cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";

    fn id() -> String {
        "5e".repeat(CONTAINER_ID_DIGITS / 2)
    }

    #[test]
    fn version_2_is_followed_where_containers_have_a_path_there() {
        let cgroup = format!("4:memory:/docker/{0}\n0::/docker/{0}\n", id());
        let chosen = Hierarchy::choose(HYBRID, [cgroup]);
        let root = Some(PathBuf::from("/sys/fs/cgroup/unified"));
        assert_eq!(chosen, Hierarchy { root, controller: None });
    }

    #[test]
    fn version_1_is_followed_where_they_have_none() {
        let cgroup = format!("4:memory:/docker/{}\n0::/\n", id());
        let chosen = Hierarchy::choose(HYBRID, [cgroup]);
        assert_eq!(chosen.controller, Some(Controller::Memory));
        assert_eq!(chosen.root, Some(PathBuf::from("/sys/fs/cgroup/memory")));
    }

    #[test]
    fn a_path_of_other_digits_names_no_container() {
        assert!(!names_container("4:memory:/api/88549cc648f81034565861e5015f6691"));
        assert!(names_container(&format!("0::/system.slice/docker-{}.scope", id())));
        assert!(!names_container(&format!("0::/{}ff", id())));
    }

    #[test]
    fn a_machine_without_version_1_needs_no_look_at_containers() {
        let mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        let chosen = Hierarchy::choose(mounts, []);
        assert_eq!(chosen.root, Some(PathBuf::from("/sys/fs/cgroup")));
    }

    #[test]
    fn the_list_begins_with_the_root_and_ends_at_cgroups_max() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("a/b")).expect("folders");
        let root = Some(folder.path().to_owned());
        let listed = Hierarchy { root, controller: None }.list();
        let paths: Vec<_> = listed.iter().map(|event| event.path.to_string()).collect();
        assert_eq!(paths, ["/", "/a", "/a/b"]);
        assert!(listed.len() < CGROUPS_MAX);
    }
}
