//! What is left of a story that had no news for long.
//!
//! Within [`crate::Settings::horizon`] a story may go on by anything that it shares with what comes.
//! After that only one tie is left: somebody acts with what it planted, a user or a lasting key,
//! which may sleep for months. So all else goes, and a story that planted nothing goes altogether:
//! what is held is a matter of the last days, however long the engine runs.

use std::collections::BTreeSet;

use clew_event::finding::EntityKind;
use clew_event::{Entity, Finding};

use crate::forest::Forest;
use crate::lines::Lines;
use crate::trail::{Handle, Moment, Trail};

impl Forest {
    /// Findings of one settled story that are kept.
    pub(crate) const SKELETON_MAX: usize = 16;

    /// Of the tree of these members: what planted a lasting identity, where the story that goes
    /// with this finding began, and what lies between; the earliest first, as many as are kept.
    /// Nothing where nothing was planted.
    pub(crate) fn skeleton(&self, members: &[Handle], anchor: Handle) -> BTreeSet<Handle> {
        let planted = members.iter().filter_map(|&member| {
            let node = self.node(member)?;
            plants(&node.finding).then(|| (node.at(), member))
        });
        let mut planted: Vec<(Moment, Handle)> = planted.collect();
        planted.sort_unstable();
        let mut kept = BTreeSet::new();
        if planted.is_empty() {
            return kept;
        }
        let began = std::iter::once(self.origin(anchor));
        for leaf in began.chain(planted.into_iter().map(|(_, leaf)| leaf)) {
            let tie_of = |at: &Handle| self.node(*at)?.parent.as_ref().map(|tie| tie.to);
            let path = std::iter::successors(Some(leaf), tie_of);
            let new: Vec<Handle> = path.filter(|member| !kept.contains(member)).collect();
            if kept.is_empty() || kept.len() + new.len() <= Self::SKELETON_MAX {
                kept.extend(new);
            }
        }
        kept
    }
}

/// True where it made what others may act with for long. AWS names temporary keys `ASIA…` (IAM user
/// guide, "unique ID prefixes"); they live for 36 hours at most, less than the horizon.
pub(crate) fn plants(finding: &Finding) -> bool {
    let is_lasting = |made: &Entity| match made.kind {
        EntityKind::User | EntityKind::Role => true,
        EntityKind::Credential => !made.id.starts_with("ASIA"),
        _ => false,
    };
    finding.subject.makes.iter().any(is_lasting)
}

impl Lines {
    /// Lets go of all findings of a tree but those to keep, which hold its top and each one's
    /// parent. Gives how many went.
    pub(crate) fn thin(
        &mut self,
        members: &[Handle],
        top: Handle,
        kept: &BTreeSet<Handle>,
    ) -> usize {
        let roots: Vec<Handle> =
            members.iter().copied().filter(|member| self.line(*member).is_some()).collect();
        let mut gone = 0;
        for root in roots {
            if !kept.contains(&root) {
                gone += self.remove(root);
                continue;
            }
            let Some(mut line) = self.take_out(root, Trail::forget) else { continue };
            let of_line = self.forest.line(root);
            let (stay, go): (Vec<_>, Vec<_>) =
                of_line.into_iter().partition(|member| kept.contains(member));
            go.iter().rev().for_each(|&member| self.forest.remove(member));
            gone += go.len();
            line.settle(stay.len());
            self.put(root, line);
        }
        self.count_gone(top, gone);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn a_skeleton_holds_at_most_skeleton_max_findings_and_of_what_planted_nothing_none() {
        let mut forest = Forest::default();
        let mut add = |n: u64, credential: &str| {
            let sample = Sample::new("a", 1).call("CreateAccessKey", "AKIA9", "").at(n);
            forest.insert(sample.makes(&format!("{credential}{n}")).finding())
        };
        let keys: Vec<Handle> = (0..100).map(|n| add(n, "AKIA1")).collect();
        let temporary: Vec<Handle> = (0..100).map(|n| add(n, "ASIA1")).collect();
        let kept = forest.skeleton(&keys, keys[0]);
        assert_eq!(kept, keys.into_iter().take(Forest::SKELETON_MAX).collect());
        assert_eq!(forest.skeleton(&temporary, temporary[0]), BTreeSet::new());
    }
}
