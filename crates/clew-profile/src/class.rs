//! The classes of behavior: each is learned, and learned to be complete, by itself.

use serde::{Deserialize, Serialize};

/// What kind of thing a workload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Ran a program.
    Exec,
    /// Used a file.
    File,
    /// Used a socket.
    Network,
    /// Asked for a name.
    Dns,
    /// Changed user, group, rights or namespaces.
    Privilege,
    /// Asked something rare of the kernel, or did something to another process.
    Kernel,
    /// Answered a request.
    HttpIn,
    /// Made a request.
    HttpOut,
    /// Called the API of a cloud or service.
    CloudApi,
    /// Called the API of a cluster.
    KubernetesApi,
}

impl Class {
    /// All, in their order.
    pub const ALL: [Self; 10] = [
        Self::Exec,
        Self::File,
        Self::Network,
        Self::Dns,
        Self::Privilege,
        Self::Kernel,
        Self::HttpIn,
        Self::HttpOut,
        Self::CloudApi,
        Self::KubernetesApi,
    ];

    /// As keys and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::File => "file",
            Self::Network => "network",
            Self::Dns => "dns",
            Self::Privilege => "privilege",
            Self::Kernel => "kernel",
            Self::HttpIn => "http_in",
            Self::HttpOut => "http_out",
            Self::CloudApi => "cloud_api",
            Self::KubernetesApi => "kubernetes_api",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// True where each request is a unit by itself.
    #[must_use]
    pub const fn is_of_requests(self) -> bool {
        matches!(self, Self::HttpIn | Self::HttpOut)
    }

    /// The name under which new behavior is found; `None` where `clew-appsec` judges it.
    #[must_use]
    pub const fn rule(self) -> Option<&'static str> {
        match self {
            Self::Exec => Some("Behavior new to this workload: exec"),
            Self::File => Some("Behavior new to this workload: file"),
            Self::Network => Some("Behavior new to this workload: network"),
            Self::Dns => Some("Behavior new to this workload: dns"),
            Self::Privilege => Some("Behavior new to this workload: privilege"),
            Self::Kernel => Some("Behavior new to this workload: kernel"),
            Self::CloudApi => Some("Behavior new to this identity: cloud API"),
            Self::KubernetesApi => Some("Behavior new to this identity: Kubernetes API"),
            Self::HttpIn | Self::HttpOut => None,
        }
    }

    /// What separates the parts of an item where it is shown.
    pub(crate) const fn separator(self) -> &'static str {
        match self {
            Self::File | Self::HttpIn | Self::HttpOut => "/",
            Self::Exec
            | Self::Network
            | Self::Dns
            | Self::Privilege
            | Self::Kernel
            | Self::CloudApi
            | Self::KubernetesApi => " ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_by_its_name() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
