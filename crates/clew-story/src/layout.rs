//! Places a story's processes and steps for drawing, so that every page draws the same picture.
//!
//! The process tree grows from left to right: a column is a generation, a childless process takes
//! a row, a parent stands in the middle of its children. Below it lies the timeline: a lane for
//! each process that did a step, the steps side by side in order of time. Steps are evenly spaced,
//! because attacks act in bursts: on a true time axis most would lie on top of one another.
//!
//! Lengths are whole pixels at scale 1. Cost is linear in processes and steps; both are bounded
//! by the story.

use std::collections::BTreeMap;

use clew_event::finding::ProcessFacts;
use clew_event::{FindingId, ProcessKey, Story, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::words;

/// Width of a process box.
pub const NODE_WIDTH: u32 = 220;
/// Height of a process box.
pub const NODE_HEIGHT: u32 = 56;
/// Space between generations.
pub const COLUMN_GAP: u32 = 64;
/// Space between rows.
pub const ROW_GAP: u32 = 20;
/// Space around everything.
pub const MARGIN: u32 = 16;
/// Height of a lane of the timeline.
pub const LANE_HEIGHT: u32 = 36;
/// Space to the left of the timeline, for the lanes' names.
pub const LANE_LABEL_WIDTH: u32 = 180;
/// Space that a step takes in the timeline.
pub const MARK_GAP: u32 = 44;
/// Characters of a command line that a box shows.
const SUBLABEL_MAX: usize = 48;

/// A drawn story.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Width of the process graph.
    pub width: u32,
    /// Height of the process graph.
    pub height: u32,
    /// The processes, parents before children.
    pub nodes: Vec<GraphNode>,
    /// Who started whom.
    pub edges: Vec<GraphEdge>,
    /// The steps in order of time.
    pub timeline: Timeline,
}

/// One process as a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// The process.
    pub key: ProcessKey,
    /// Name and pid.
    pub label: String,
    /// Its command line, shortened.
    pub sublabel: String,
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// What the box stands for.
    pub kind: NodeKind,
    /// True for the process with which the story began.
    pub is_root: bool,
    /// True where its program is not part of the container's image.
    pub is_dropped: bool,
    /// Numbers of the steps it did, counted from 1.
    pub steps: Vec<usize>,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A process that did a step.
    Actor,
    /// A process that did none, and leads to one that did.
    Ancestor,
}

/// A line from a parent to its child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The parent.
    pub from: ProcessKey,
    /// The child.
    pub to: ProcessKey,
    /// Corners of the line, from the parent's right edge to the child's left edge.
    pub points: Vec<(u32, u32)>,
}

/// The steps in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// A lane for each process that did a step, in the order of their first steps.
    pub lanes: Vec<Lane>,
}

/// One process's steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The process; `None` for steps that no process did.
    pub key: Option<ProcessKey>,
    /// Name and pid.
    pub label: String,
    /// Middle of the lane.
    pub y: u32,
    /// Its steps.
    pub marks: Vec<Mark>,
}

/// One step in a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// The finding it tells.
    pub finding: FindingId,
    /// When.
    pub time: TimestampNs,
    /// Middle of the mark.
    pub x: u32,
}

/// Where everything of a story stands.
#[must_use]
pub fn process_graph(story: &Story) -> Graph {
    let tree = Tree::of(story);
    let places = tree.places();
    let steps = steps_by_process(story);
    let nodes = story.processes.iter().map(|facts| node(facts, story, &places, &steps)).collect();
    let edges = story.processes.iter().zip(&story.parents).filter_map(|(facts, parent)| {
        let parent = (*parent)?;
        let (from, to) = (places.get(&parent)?, places.get(&facts.key)?);
        Some(GraphEdge { from: parent, to: facts.key, points: corners(*from, *to) })
    });
    let edges = edges.collect();
    let columns = places.values().map(|(x, _)| x + NODE_WIDTH).max();
    let rows = places.values().map(|(_, y)| y + NODE_HEIGHT).max();
    Graph {
        width: columns.map_or(0, |right| right + MARGIN),
        height: rows.map_or(0, |bottom| bottom + MARGIN),
        nodes,
        edges,
        timeline: timeline(story),
    }
}

/// The processes as a tree; broken where a parent is not listed before its child.
#[derive(Debug, Default)]
struct Tree {
    /// Every process, parents before children.
    order: Vec<ProcessKey>,
    parents: BTreeMap<ProcessKey, ProcessKey>,
}

impl Tree {
    fn of(story: &Story) -> Self {
        let mut tree = Self::default();
        let mut known = std::collections::BTreeSet::new();
        for (index, facts) in story.processes.iter().enumerate() {
            if !known.insert(facts.key) {
                continue;
            }
            tree.order.push(facts.key);
            let parent = story.parents.get(index).copied().flatten();
            if let Some(parent) =
                parent.filter(|parent| *parent != facts.key && known.contains(parent))
            {
                tree.parents.insert(facts.key, parent);
            }
        }
        tree
    }

    /// Upper left corner of each process.
    fn places(&self) -> BTreeMap<ProcessKey, (u32, u32)> {
        let mut depths: BTreeMap<ProcessKey, u32> = BTreeMap::new();
        for key in &self.order {
            let above = self.parents.get(key).and_then(|parent| depths.get(parent));
            depths.insert(*key, above.map_or(0, |depth| depth + 1));
        }
        let rows = self.rows();
        let column = |depth: u32| MARGIN + depth * (NODE_WIDTH + COLUMN_GAP);
        // Rows are counted in halves, so that a parent can stand between two children.
        let row = |half: u32| MARGIN + half * (NODE_HEIGHT + ROW_GAP) / 2;
        let place = |key: &ProcessKey| {
            (
                column(depths.get(key).copied().unwrap_or(0)),
                row(rows.get(key).copied().unwrap_or(0)),
            )
        };
        self.order.iter().map(|key| (*key, place(key))).collect()
    }

    /// Row of each process in halves: the childless in a row each, top down as the tree is
    /// walked; a parent in the middle between its first and its last child.
    fn rows(&self) -> BTreeMap<ProcessKey, u32> {
        let mut children: BTreeMap<Option<ProcessKey>, Vec<ProcessKey>> = BTreeMap::new();
        for key in &self.order {
            children.entry(self.parents.get(key).copied()).or_default().push(*key);
        }
        let mut rows = BTreeMap::new();
        let mut next = 0;
        for key in self.walk(&children) {
            if !children.contains_key(&Some(key)) {
                rows.insert(key, next);
                next += 2;
            }
        }
        for key in self.walk(&children).into_iter().rev() {
            let below: Vec<u32> = children
                .get(&Some(key))
                .into_iter()
                .flatten()
                .filter_map(|child| rows.get(child).copied())
                .collect();
            if let (Some(first), Some(last)) = (below.iter().min(), below.iter().max()) {
                rows.insert(key, u32::midpoint(*first, *last));
            }
        }
        rows
    }

    /// Depth first, as listed.
    fn walk(&self, children: &BTreeMap<Option<ProcessKey>, Vec<ProcessKey>>) -> Vec<ProcessKey> {
        let mut walked = Vec::with_capacity(self.order.len());
        let mut pending: Vec<ProcessKey> =
            children.get(&None).into_iter().flatten().rev().copied().collect();
        while let Some(key) = pending.pop() {
            walked.push(key);
            pending.extend(children.get(&Some(key)).into_iter().flatten().rev());
        }
        walked
    }
}

fn steps_by_process(story: &Story) -> BTreeMap<ProcessKey, Vec<usize>> {
    let mut steps: BTreeMap<ProcessKey, Vec<usize>> = BTreeMap::new();
    for (index, step) in story.steps.iter().enumerate() {
        if let Some(process) = step.process {
            steps.entry(process).or_default().push(index + 1);
        }
    }
    steps
}

fn node(
    facts: &ProcessFacts,
    story: &Story,
    places: &BTreeMap<ProcessKey, (u32, u32)>,
    steps: &BTreeMap<ProcessKey, Vec<usize>>,
) -> GraphNode {
    let (x, y) = places.get(&facts.key).copied().unwrap_or((MARGIN, MARGIN));
    let steps = steps.get(&facts.key).cloned().unwrap_or_default();
    GraphNode {
        key: facts.key,
        label: label(facts),
        sublabel: words::short(&facts.command_line.to_string(), SUBLABEL_MAX),
        x,
        y,
        width: NODE_WIDTH,
        height: NODE_HEIGHT,
        kind: if steps.is_empty() { NodeKind::Ancestor } else { NodeKind::Actor },
        is_root: story.root.process == Some(facts.key),
        is_dropped: facts.is_dropped,
        steps,
    }
}

fn label(facts: &ProcessFacts) -> String {
    let name = if facts.name.is_empty() { &facts.exe } else { &facts.name };
    words::short(&format!("{name} ({})", facts.key.pid), SUBLABEL_MAX)
}

/// Out of the parent to the middle of the gap, along it, and into the child.
fn corners((from_x, from_y): (u32, u32), (to_x, to_y): (u32, u32)) -> Vec<(u32, u32)> {
    let start = (from_x + NODE_WIDTH, from_y + NODE_HEIGHT / 2);
    let end = (to_x, to_y + NODE_HEIGHT / 2);
    let middle = start.0 + COLUMN_GAP / 2;
    if start.1 == end.1 {
        return vec![start, end];
    }
    vec![start, (middle, start.1), (middle, end.1), end]
}

fn timeline(story: &Story) -> Timeline {
    let mut lanes: Vec<Lane> = Vec::new();
    let mut lane_of: BTreeMap<Option<ProcessKey>, usize> = BTreeMap::new();
    let mut x = LANE_LABEL_WIDTH + MARGIN;
    let mut y = MARGIN + LANE_HEIGHT / 2;
    for (index, step) in story.steps.iter().enumerate() {
        let place = *lane_of.entry(step.process).or_insert_with(|| {
            let facts = story.processes.iter().find(|facts| Some(facts.key) == step.process);
            let label = facts.map_or_else(String::new, label);
            lanes.push(Lane { key: step.process, label, y, marks: Vec::new() });
            y += LANE_HEIGHT;
            lanes.len() - 1
        });
        if let Some(lane) = lanes.get_mut(place) {
            let mark = Mark { step: index + 1, finding: step.finding, time: step.time, x };
            lane.marks.push(mark);
        }
        x += MARK_GAP;
    }
    let height = y + MARGIN - LANE_HEIGHT / 2;
    if lanes.is_empty() {
        Timeline::default()
    } else {
        Timeline { width: x + MARGIN, height, lanes }
    }
}

#[cfg(test)]
mod tests {
    use clew_event::story::{Impact, Root, Severity, Step};
    use clew_event::{EventId, StoryId};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::sample::{at_ms, process};

    /// A story of processes, each with the index of its parent; steps by index.
    fn story(parents: &[Option<usize>], steps: &[usize]) -> Story {
        let names = ["server", "sh", "id", "cat", "tool", "x", "y", "z"];
        let processes: Vec<_> = (0..parents.len())
            .map(|n| {
                process(u32::try_from(n).unwrap() + 1, names[n % names.len()], "line", n as u64)
            })
            .collect();
        let key = |index: usize| processes[index].key;
        let steps = steps.iter().enumerate().map(|(number, &index)| Step {
            time: at_ms(number as u64),
            finding: FindingId(number as u128),
            event: EventId(1),
            rule: "rule".into(),
            techniques: Vec::new(),
            process: Some(key(index)),
            sentence: String::new(),
            edge: None,
        });
        Story {
            id: StoryId(1),
            revision: 1,
            title: String::new(),
            severity: Severity::Low,
            likelihood_bits: 0.0,
            impact: Impact::default(),
            techniques: Vec::new(),
            entities: Vec::new(),
            root: Root { process: parents.get(1).map(|_| key(1)), ..Root::default() },
            steps: steps.collect(),
            steps_untold: 0,
            blind_spots: Vec::new(),
            alternatives: Vec::new(),
            narrative: String::new(),
            parents: parents.iter().map(|parent| parent.map(key)).collect(),
            processes,
            span: (at_ms(0), at_ms(1)),
        }
    }

    fn check(story: &Story, expected: Expect) {
        let graph = process_graph(story);
        let mut drawn = format!("{} x {}\n", graph.width, graph.height);
        for node in &graph.nodes {
            let root = if node.is_root { " root" } else { "" };
            drawn +=
                &format!("{} at {},{} steps {:?}{root}\n", node.label, node.x, node.y, node.steps);
        }
        for edge in &graph.edges {
            drawn += &format!("{} -> {} {:?}\n", edge.from.pid, edge.to.pid, edge.points);
        }
        for lane in &graph.timeline.lanes {
            let marks: Vec<_> = lane.marks.iter().map(|mark| (mark.step, mark.x)).collect();
            drawn += &format!("lane {} y {} {marks:?}\n", lane.label, lane.y);
        }
        expected.assert_eq(&drawn);
    }

    #[test]
    fn a_parent_stands_in_the_middle_of_its_children() {
        check(
            &story(&[None, Some(0), Some(1), Some(1), Some(1)], &[1, 2, 3, 4, 4]),
            expect![[r#"
                820 x 240
                server (1) at 16,92 steps []
                sh (2) at 300,92 steps [1] root
                id (3) at 584,16 steps [2]
                cat (4) at 584,92 steps [3]
                tool (5) at 584,168 steps [4, 5]
                1 -> 2 [(236, 120), (300, 120)]
                2 -> 3 [(520, 120), (552, 120), (552, 44), (584, 44)]
                2 -> 4 [(520, 120), (584, 120)]
                2 -> 5 [(520, 120), (552, 120), (552, 196), (584, 196)]
                lane sh (2) y 34 [(1, 196)]
                lane id (3) y 70 [(2, 240)]
                lane cat (4) y 106 [(3, 284)]
                lane tool (5) y 142 [(4, 328), (5, 372)]
            "#]],
        );
    }

    #[test]
    fn a_story_without_processes_is_an_empty_picture() {
        check(
            &story(&[], &[]),
            expect![[r#"
            0 x 0
        "#]],
        );
    }

    #[test]
    fn a_box_shows_at_most_sublabel_max_characters_of_a_command_line() {
        let mut story = story(&[None], &[]);
        story.processes[0].command_line = "x".repeat(1000).into();
        let graph = process_graph(&story);
        assert_eq!(graph.nodes[0].sublabel.chars().count(), SUBLABEL_MAX + 1);
    }

    proptest::proptest! {
        /// However the tree looks, no two boxes overlap and all lie inside the picture.
        #[test]
        fn no_two_boxes_overlap(choices in proptest::collection::vec(0_usize..1000, 0..60)) {
            let parents: Vec<_> = std::iter::once(None)
                .chain(choices.iter().enumerate().map(|(n, choice)| Some(choice % (n + 2)).filter(|p| *p <= n)))
                .collect();
            let graph = process_graph(&story(&parents, &[]));
            for (index, a) in graph.nodes.iter().enumerate() {
                assert!(a.x + a.width <= graph.width && a.y + a.height <= graph.height);
                for b in graph.nodes.iter().skip(index + 1) {
                    let is_apart = a.x + a.width <= b.x || b.x + b.width <= a.x
                        || a.y + a.height <= b.y || b.y + b.height <= a.y;
                    assert!(is_apart, "{a:?} {b:?}");
                }
            }
        }
    }
}
