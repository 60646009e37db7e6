//! What runtimes tell of containers, and the names of their users.
//!
//! Looked up when a view asks, not when a process starts: a container's first processes run before
//! its runtime has told its name, and views made later see it all the same. Facts of a stopped
//! container stay until their room is needed, because its last events come after its end.

use std::net::IpAddr;

use clew_event::container::{AccountEvent, ContainerEvent, Lifecycle};
use clew_event::{ContainerId, Text};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};

/// Users and groups that are kept of one container, each; more than any real `/etc/passwd` has.
pub(crate) const ACCOUNTS_MAX: usize = 4096;

/// One container, by what came first: its facts or its accounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Container {
    pub(crate) facts: Option<ContainerEvent>,
    pub(crate) accounts: Accounts,
}

/// Every container that is known, and the host's accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Containers {
    table: Bounded<ContainerId, Container>,
    host: Accounts,
    accounts_dropped: u64,
}

/// Names by user and group number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Accounts {
    users: Vec<(u32, Text)>,
    groups: Vec<(u32, Text)>,
}

impl Containers {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Bounded::new(max), host: Accounts::default(), accounts_dropped: 0 }
    }

    pub(crate) fn get(&self, id: &ContainerId) -> Option<&Container> {
        self.table.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn accounts_dropped(&self) -> u64 {
        self.accounts_dropped
    }

    /// Accounts of a container, or of the host.
    pub(crate) fn accounts(&self, id: Option<&ContainerId>) -> Option<&Accounts> {
        match id {
            Some(id) => self.get(id).map(|container| &container.accounts),
            None => Some(&self.host),
        }
    }

    /// Whether it is an address of any container.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        let mut facts = self.table.values().filter_map(|container| container.facts.as_ref());
        facts.any(|facts| facts.addresses.contains(&address))
    }

    /// The sensor began anew: what no runtime lists is gone.
    pub(crate) fn restart(&mut self) {
        self.table.end_all();
    }

    pub(crate) fn observe(&mut self, event: &ContainerEvent) {
        let Some(id) = &event.id else { return };
        let standing = match event.lifecycle {
            Lifecycle::Stopped => Standing::Ended,
            Lifecycle::Known | Lifecycle::Started => Standing::Live,
        };
        let container = self.table.or_default(id);
        match &mut container.facts {
            // The end is often told without the facts, which the runtime has already forgotten.
            Some(facts) if event.name.is_empty() => facts.lifecycle = event.lifecycle,
            facts => *facts = Some(event.clone()),
        }
        self.table.set_standing(id, standing);
    }

    pub(crate) fn observe_account(&mut self, event: &AccountEvent) {
        let accounts = match &event.container {
            Some(id) => &mut self.table.or_default(id).accounts,
            None => &mut self.host,
        };
        let names = if event.is_group { &mut accounts.groups } else { &mut accounts.users };
        match names.binary_search_by_key(&event.id, |(id, _)| *id) {
            Ok(position) => {
                if let Some((_, name)) = names.get_mut(position) {
                    *name = event.name.clone();
                }
            }
            Err(position) if names.len() < ACCOUNTS_MAX => {
                names.insert(position, (event.id, event.name.clone()));
            }
            Err(_) => self.accounts_dropped = self.accounts_dropped.saturating_add(1),
        }
    }
}

impl Accounts {
    pub(crate) fn user(&self, uid: u32) -> Option<&Text> {
        find(&self.users, uid)
    }

    pub(crate) fn group(&self, gid: u32) -> Option<&Text> {
        find(&self.groups, gid)
    }
}

fn find(names: &[(u32, Text)], id: u32) -> Option<&Text> {
    let position = names.binary_search_by_key(&id, |(id, _)| *id).ok()?;
    names.get(position).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: u32, name: &str) -> AccountEvent {
        AccountEvent { container: None, is_group: false, id, name: name.into() }
    }

    #[test]
    fn the_end_of_a_container_keeps_what_was_known_of_it() {
        let id = ContainerId("c1".into());
        let mut containers = Containers::new(2);
        let started = ContainerEvent {
            lifecycle: Lifecycle::Started,
            id: Some(id.clone()),
            name: "web".into(),
            ..<_>::default()
        };
        containers.observe(&started);
        let stopped = ContainerEvent {
            lifecycle: Lifecycle::Stopped,
            id: Some(id.clone()),
            ..<_>::default()
        };
        containers.observe(&stopped);
        let facts = containers.get(&id).and_then(|container| container.facts.as_ref());
        let shown = facts.map(|facts| (facts.name.clone(), facts.lifecycle));
        assert_eq!(shown, Some(("web".into(), Lifecycle::Stopped)));
    }

    #[test]
    fn a_later_name_of_a_user_replaces_the_earlier() {
        let mut containers = Containers::new(1);
        containers.observe_account(&account(33, "www"));
        containers.observe_account(&account(33, "www-data"));
        let name = containers.accounts(None).and_then(|accounts| accounts.user(33));
        assert_eq!(name, Some(&"www-data".into()));
    }

    #[test]
    fn accounts_beyond_accounts_max_are_dropped_and_counted() {
        let mut containers = Containers::new(1);
        for id in 0..=u32::try_from(ACCOUNTS_MAX).expect("fits") {
            containers.observe_account(&account(id, "x"));
        }
        assert_eq!(containers.host.users.len(), ACCOUNTS_MAX);
        assert_eq!(containers.accounts_dropped(), 1);
    }
}
