//! What plain events teach about processes that act for many.

use clew_event::Event;
use serde::{Deserialize, Serialize};

use crate::first_processes::FirstProcesses;
use crate::servers::Servers;

/// Processes whose children do not belong together on that account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) servers: Servers,
    pub(crate) first_processes: FirstProcesses,
}

impl Known {
    pub(crate) fn observe(&mut self, event: &Event) {
        self.servers.observe(event);
        self.first_processes.observe(event);
    }
}
