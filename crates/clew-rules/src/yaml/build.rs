//! Builds the tree from the parser's events.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::align::Characters;
use super::{Content, FILE_BYTES_MAX, Node, YAML_DEPTH_MAX, YAML_NODES_MAX};
use crate::traced::Place;

/// What a file holds: its top-level items, of all its documents in order, and what is wrong.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// Items of the top-level sequences; those before an error too.
    pub items: Vec<Node>,
    /// What is wrong with the file as YAML, or with the shape of a document.
    pub errors: Vec<FileError>,
    /// Documents that are mappings, which is wrong for rules and right for a configuration.
    pub mappings: Vec<Node>,
}

/// What is wrong with a file as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileError {
    /// It is not YAML from here on.
    Syntax(Place, String),
    /// A document is not a sequence of items.
    NotASequence(Place),
    /// A bound is exceeded.
    Limit(Place, String),
}

/// Spaces put before a line that stands too far left inside brackets.
const INDENT_ADDED: usize = 64;

/// Most lines of a file that are moved so, and most bytes that are read again because of it.
pub(crate) const LINES_MOVED_MAX: usize = 200;
pub(crate) const BYTES_REREAD_MAX: usize = 16 << 20;

/// Reads a file; never fails as a whole.
pub(crate) fn read(text: &str, file: u32) -> File {
    if FILE_BYTES_MAX < text.len() {
        let message =
            format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", text.len());
        let error = FileError::Limit(Place { file, line: 0, column: 0 }, message);
        return File { errors: vec![error], ..File::default() };
    }
    // Inside brackets the YAML of the original does not mind a line that stands too far left,
    // such as a closing bracket under its key, and upstream files have them. The parser here
    // does, so such a line is moved to the right, and its columns counted back.
    let mut moved: BTreeSet<usize> = BTreeSet::new();
    let mut working = Cow::Borrowed(text);
    loop {
        let (result, unindented) = read_once(&working, file, &moved);
        let is_spent = LINES_MOVED_MAX <= moved.len()
            || BYTES_REREAD_MAX < text.len().saturating_mul(moved.len() + 1);
        match unindented {
            Some(line) if !is_spent && moved.insert(line) => {
                working = Cow::Owned(with_moved_lines(text, &moved));
            }
            _ => return result,
        }
    }
}

fn with_moved_lines(text: &str, moved: &BTreeSet<usize>) -> String {
    let mut working = String::with_capacity(text.len() + moved.len() * INDENT_ADDED);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if moved.contains(&number) {
            working.extend(std::iter::repeat_n(' ', INDENT_ADDED));
        }
        working.push_str(line);
    }
    working
}

/// Reads the file once; also gives the line that stands too far left inside brackets, if that is
/// what is wrong.
fn read_once(text: &str, file: u32, moved: &BTreeSet<usize>) -> (File, Option<usize>) {
    let mut builder = Builder {
        characters: Characters::new(text, file, moved, INDENT_ADDED),
        open: Vec::new(),
        anchors: FxHashMap::default(),
        node_count: 0,
        result: File::default(),
    };
    let mut unindented = None;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let accepted = match event {
            Ok((event, span)) => builder.accept(event, span),
            Err(error) => {
                let marker = error.marker();
                let is_in_brackets = builder.open.last().is_some_and(|open| open.is_in_brackets);
                if is_in_brackets && error.info().starts_with("invalid indentation") {
                    unindented = Some(marker.line());
                }
                let place = builder.characters.place(marker.line(), marker.col() + 1);
                Err(FileError::Syntax(place, error.info().to_owned()))
            }
        };
        if let Err(error) = accepted {
            builder.keep_finished_items();
            builder.result.errors.push(error);
            break;
        }
    }
    (builder.result, unindented)
}

/// A sequence or mapping that is not closed yet.
struct Open {
    anchor: usize,
    place: Place,
    /// True where it was opened by a bracket, not by indentation.
    is_in_brackets: bool,
    content: OpenContent,
}

enum OpenContent {
    Sequence(Vec<Node>),
    Mapping { pairs: Vec<(Node, Node)>, key: Option<Node> },
}

struct Builder<'a> {
    characters: Characters<'a>,
    /// At most [`YAML_DEPTH_MAX`].
    open: Vec<Open>,
    /// Anchored nodes; each alias is a copy, counted against [`YAML_NODES_MAX`].
    anchors: FxHashMap<usize, Node>,
    node_count: usize,
    result: File,
}

impl Builder<'_> {
    fn accept(&mut self, event: Event<'_>, span: Span) -> Result<(), FileError> {
        let place = self.characters.place(span.start.line(), span.start.col() + 1);
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    self.node_count += count(&node);
                    self.add(node, 0)
                }
                None => Err(FileError::Syntax(place, "alias without anchor".to_owned())),
            },
            Event::Scalar(text, style, anchor, _) => {
                let content = if style == ScalarStyle::Plain && is_null(&text) {
                    Content::Null
                } else {
                    let (line, column) = (span.start.line(), span.start.col() + 1);
                    Content::Scalar(self.characters.align(&text, line, column))
                };
                self.add(Node { place, content }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let content = OpenContent::Sequence(Vec::new());
                self.open(Open { anchor, place, is_in_brackets: !span.is_empty(), content })
            }
            Event::MappingStart(anchor, _) => {
                let content = OpenContent::Mapping { pairs: Vec::new(), key: None };
                self.open(Open { anchor, place, is_in_brackets: !span.is_empty(), content })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), FileError> {
        if self.open.len() == YAML_DEPTH_MAX {
            let message = format!("nested more than {YAML_DEPTH_MAX} deep");
            return Err(FileError::Limit(open.place, message));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), FileError> {
        let Some(Open { anchor, place, content, .. }) = self.open.pop() else { return Ok(()) };
        let content = match content {
            OpenContent::Sequence(items) => Content::Sequence(items),
            OpenContent::Mapping { pairs, .. } => Content::Mapping(pairs),
        };
        self.add(Node { place, content }, anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), FileError> {
        self.node_count += 1;
        if YAML_NODES_MAX < self.node_count {
            let message = format!("more than {YAML_NODES_MAX} nodes, aliases included");
            return Err(FileError::Limit(node.place, message));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.add_document(node),
            Some(OpenContent::Sequence(items)) => items.push(node),
            Some(OpenContent::Mapping { pairs, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
        }
        Ok(())
    }

    fn add_document(&mut self, node: Node) {
        match node.content {
            Content::Null => {}
            Content::Sequence(items) => self.result.items.extend(items),
            Content::Scalar(_) => {
                self.result.errors.push(FileError::NotASequence(node.place));
            }
            Content::Mapping(_) => {
                self.result.errors.push(FileError::NotASequence(node.place));
                self.result.mappings.push(node);
            }
        }
    }

    /// After an error: the items of the top-level sequence that were complete before it.
    fn keep_finished_items(&mut self) {
        if let Some(Open { content: OpenContent::Sequence(items), .. }) = self.open.drain(..).next()
        {
            self.result.items.extend(items);
        }
    }
}

/// Nodes of a whole tree.
fn count(node: &Node) -> usize {
    match &node.content {
        Content::Null | Content::Scalar(_) => 1,
        Content::Sequence(items) => 1 + items.iter().map(count).sum::<usize>(),
        Content::Mapping(pairs) => {
            1 + pairs.iter().map(|(key, value)| count(key) + count(value)).sum::<usize>()
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(text: &str, key: &str, wanted: &str) -> (u32, u32) {
        let file = read(text, 0);
        let value = file.items[0].get(key).unwrap().scalar().unwrap();
        let offset = value.as_str().find(wanted).unwrap();
        let place = value.place_at(offset);
        (place.line, place.column)
    }

    #[test]
    fn text_inside_block_scalars_is_found_in_the_file() {
        let text = "- a: >\n    (one and\n     two) or\n\n    three\n  b: |-\n    four\n    five\n  c: six\n    seven\n  d: 'it''s eight'\n  e: \"a\\nb \\\"nine\"\n";
        let check = |key: &str, wanted: &str, at: (u32, u32)| {
            assert_eq!(place_of(text, key, wanted), at, "{key} {wanted}");
        };
        check("a", "one", (2, 6));
        check("a", "two", (3, 6));
        check("a", "three", (5, 5));
        check("b", "five", (8, 5));
        check("c", "six", (9, 6));
        check("c", "seven", (10, 5));
        check("d", "eight", (11, 13));
        check("e", "nine", (12, 14));
    }

    #[test]
    fn items_before_an_error_survive_it() {
        let file = read("- list: a\n  items: [x]\n- list: b\n  items: [x\n- list: c\n", 7);
        assert_eq!(file.items.len(), 1);
        let [FileError::Syntax(place, _)] = file.errors.as_slice() else {
            panic!("{:?}", file.errors)
        };
        assert_eq!((place.file, place.line), (7, 5));
    }

    #[test]
    fn lines_too_far_left_inside_brackets_are_read_as_the_original_does() {
        let text = "- list: a\n  items: [\n  'b c', d\n  ]\n- list: e\n  items: [\nf\n]\n";
        let file = read(text, 0);
        assert_eq!((file.items.len(), file.errors.as_slice()), (2, [].as_slice()));
        let items = file.items[0].get("items").unwrap().sequence().unwrap();
        let place = items[1].scalar().unwrap().place_at(0);
        assert_eq!((items.len(), place.line, place.column), (2, 3, 10));
        let many = format!("- list: a\n  items: [\n{}]\n", "  b,\n".repeat(LINES_MOVED_MAX + 9));
        assert!(read(&many, 0).errors.len() <= 1, "moved or refused, never forever");
        let lines = "  b,\n  'c',\n".repeat(8);
        let padding = format!("# {}\n", "x".repeat(BYTES_REREAD_MAX / 8));
        let long = format!("{padding}- list: a\n  items: [\n{lines}]\n");
        assert!(read(&long, 0).errors.len() <= 1, "a long file is not read again and again");
    }

    #[test]
    fn documents_follow_one_another_and_empty_ones_do_not_count() {
        let file = read("---\n- a: 1\n---\n---\n# nothing\n---\n- b: 2\n- c: 3\n", 0);
        assert_eq!((file.items.len(), file.errors.len()), (3, 0));
        let file = read("a: 1\n", 0);
        assert!(matches!(file.errors.as_slice(), [FileError::NotASequence(_)]), "{file:?}");
    }

    #[test]
    fn a_bomb_of_aliases_or_of_brackets_is_refused() {
        let mut bomb = String::from("- &a0 [x, x]\n");
        for level in 1..30 {
            let below = level - 1;
            bomb.push_str(&format!("- &a{level} [*a{below}, *a{below}]\n"));
        }
        let refused = |text: &str| {
            let errors = read(text, 0).errors;
            assert!(matches!(errors.as_slice(), [FileError::Limit(..)]), "{errors:?}");
        };
        const { assert!(YAML_NODES_MAX < 1 << 20) };
        refused(&bomb);
        refused(&format!("- {}", "[".repeat(YAML_DEPTH_MAX)));
        refused(&" ".repeat(FILE_BYTES_MAX + 1));
    }
}
