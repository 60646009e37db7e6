//! Conditions as one graph of shared nodes.
//!
//! Equal parts of all conditions are one node, so that each is decided at most once an event, and
//! a macro costs nothing where another rule used it. What is certain before any event (`evt.num=0`
//! never holds) is folded away.

use rustc_hash::FxHashMap;

/// Number of a node in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub u32);

/// Number of a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PredicateId(pub u32);

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(bool),
    Predicate(PredicateId),
    Not(NodeId),
    /// Holds where all do.
    All(Box<[NodeId]>),
    /// Holds where one does.
    Any(Box<[NodeId]>),
}

/// Deepest graph of a condition, macros included. It bounds the stack that judging takes.
pub(crate) const GRAPH_DEPTH_MAX: u16 = 500;

/// Most parts of a nested node that are taken into the outer one; more stay a node of their own,
/// or macros built on one another would copy each other's parts without bound.
const FLATTENED_PARTS_MAX: usize = 64;

/// All conditions of a rule set.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    /// Longest way down from each node.
    depths: Vec<u16>,
    ids: FxHashMap<Node, NodeId>,
}

impl Graph {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&Node::Constant(false))
    }

    pub(crate) fn depth(&self, id: NodeId) -> u16 {
        self.depths.get(id.0 as usize).copied().unwrap_or_default()
    }

    pub(crate) fn constant(&mut self, holds: bool) -> NodeId {
        self.add(Node::Constant(holds), 0)
    }

    pub(crate) fn predicate(&mut self, id: PredicateId) -> NodeId {
        self.add(Node::Predicate(id), 0)
    }

    pub(crate) fn negated(&mut self, id: NodeId) -> NodeId {
        match *self.node(id) {
            Node::Constant(holds) => self.constant(!holds),
            Node::Not(inner) => inner,
            Node::Predicate(_) | Node::All(_) | Node::Any(_) => {
                self.add(Node::Not(id), self.depth(id) + 1)
            }
        }
    }

    pub(crate) fn all(&mut self, ids: Vec<NodeId>) -> NodeId {
        self.several(ids, true)
    }

    pub(crate) fn any(&mut self, ids: Vec<NodeId>) -> NodeId {
        self.several(ids, false)
    }

    /// All (or one) of `ids`, with nested ones of the same kind taken apart.
    fn several(&mut self, ids: Vec<NodeId>, is_all: bool) -> NodeId {
        let mut parts: Vec<NodeId> = Vec::with_capacity(ids.len());
        let mut seen = rustc_hash::FxHashSet::default();
        for id in ids {
            let nested = match (self.node(id), is_all) {
                (Node::Constant(holds), _) if *holds == is_all => continue,
                (Node::Constant(_), _) => return id,
                (Node::All(nested), true) | (Node::Any(nested), false)
                    if nested.len() <= FLATTENED_PARTS_MAX =>
                {
                    nested.clone()
                }
                _ => Box::from([id]),
            };
            parts.extend(nested.into_iter().filter(|part| seen.insert(*part)));
        }
        match parts.as_slice() {
            [] => self.constant(is_all),
            [only] => *only,
            _ => {
                let depth = parts.iter().map(|part| self.depth(*part)).max().unwrap_or_default();
                let parts = parts.into();
                let node = if is_all { Node::All(parts) } else { Node::Any(parts) };
                self.add(node, depth + 1)
            }
        }
    }

    fn add(&mut self, node: Node, depth: u16) -> NodeId {
        if let Some(id) = self.ids.get(&node) {
            return *id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node.clone());
        self.depths.push(depth);
        self.ids.insert(node, id);
        id
    }

    /// The node as it is where some predicates are certain.
    ///
    /// `known` gives the verdict of a predicate that is certain; `memo` keeps what was found for
    /// the same `known`.
    pub(crate) fn specialized(
        &mut self,
        id: NodeId,
        known: &dyn Fn(PredicateId) -> Option<bool>,
        memo: &mut FxHashMap<NodeId, NodeId>,
    ) -> NodeId {
        if let Some(found) = memo.get(&id) {
            return *found;
        }
        let found = match self.node(id).clone() {
            Node::Constant(_) => id,
            Node::Predicate(predicate) => match known(predicate) {
                Some(holds) => self.constant(holds),
                None => id,
            },
            Node::Not(inner) => {
                let inner = self.specialized(inner, known, memo);
                self.negated(inner)
            }
            Node::All(parts) => {
                let parts = parts.iter().map(|part| self.specialized(*part, known, memo));
                let parts = parts.collect();
                self.all(parts)
            }
            Node::Any(parts) => {
                let parts = parts.iter().map(|part| self.specialized(*part, known, memo));
                let parts = parts.collect();
                self.any(parts)
            }
        };
        memo.insert(id, found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predicates(graph: &mut Graph, count: usize) -> Vec<NodeId> {
        (0..).take(count).map(|number| graph.predicate(PredicateId(number))).collect()
    }

    #[test]
    fn nested_parts_are_taken_in_up_to_a_bound() {
        let mut graph = Graph::default();
        let parts = predicates(&mut graph, FLATTENED_PARTS_MAX + 2);
        let last = parts[FLATTENED_PARTS_MAX + 1];
        for (count, expected) in
            [(FLATTENED_PARTS_MAX, FLATTENED_PARTS_MAX + 1), (FLATTENED_PARTS_MAX + 1, 2)]
        {
            let inner = graph.all(parts[..count].to_vec());
            let outer = graph.all(vec![inner, last]);
            let Node::All(found) = graph.node(outer) else { panic!("{:?}", graph.node(outer)) };
            assert_eq!(found.len(), expected);
        }
    }

    #[test]
    fn equal_conditions_are_one_node() {
        let mut graph = Graph::default();
        let [a, b] = predicates(&mut graph, 2)[..] else { panic!("two were made") };
        let both = graph.all(vec![a, b]);
        assert_eq!(graph.all(vec![a, b, a]), both);
        let negated = graph.negated(both);
        assert_eq!(graph.negated(negated), both);
        let never = graph.constant(false);
        assert_eq!(graph.all(vec![a, never]), never);
        assert_eq!(graph.any(vec![a, never]), a);
    }

    #[test]
    fn what_is_certain_is_folded_away() {
        let mut graph = Graph::default();
        let [a, b] = predicates(&mut graph, 2)[..] else { panic!("two were made") };
        let both = graph.all(vec![a, b]);
        let folded = |graph: &mut Graph, holds: bool| {
            let known = |id: PredicateId| (id.0 == 0).then_some(holds);
            graph.specialized(both, &known, &mut FxHashMap::default())
        };
        assert_eq!(folded(&mut graph, true), b);
        let never = graph.constant(false);
        assert_eq!(folded(&mut graph, false), never);
    }
}
