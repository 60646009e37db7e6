//! Which fields a query or body has, and what their values look like.

use std::collections::BTreeMap;

use clew_event::Text;
use serde::{Deserialize, Serialize};

use super::content::{Kind, Leaf};
use super::habit::{Habit, surprisal};
use super::sketch::{Seen, Spread, hash32, hash64};
use super::value::{Sensitive, Shape, characters};

/// Most fields of one schema; what comes later is not learned, and counted.
pub(super) const FIELDS_MAX: usize = 64;
/// Most users of one field that are told apart.
pub(super) const FIELD_USERS_MAX: usize = 16;

/// The fields of one place of an endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Schema {
    pub(super) fields: BTreeMap<u64, Field>,
    /// Contents that had any field.
    pub(super) contents: u32,
    /// Sensitive classes, in the order of [`Sensitive::ALL`].
    pub(super) sensitive: [Habit; Sensitive::ALL.len()],
    /// Orders of names that were seen, and how many there were.
    orders: Seen<FIELD_USERS_MAX>,
    order_changes: u32,
    pub(super) dropped: u64,
}

/// One field.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Field {
    pub(super) name: Text,
    /// Contents that had it.
    pub(super) present: u32,
    pub(super) users: Seen<FIELD_USERS_MAX>,
    /// Bits in the order of [`Kind`] and of [`Shape::ALL`].
    pub(super) kinds: u8,
    pub(super) shapes: u16,
    characters: u16,
    /// How often it had characters that it never had.
    character_changes: u32,
    pub(super) sensitive: u8,
    pub(super) lengths: Spread,
    pub(super) numbers: Spread,
    /// How often it was the address of something.
    pub(super) addresses: Habit,
}

/// What is odd about a content, and how surprising that is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Oddity {
    pub(super) what: &'static str,
    pub(super) name: String,
    pub(super) bits: f64,
}

impl Schema {
    pub(super) fn field(&self, leaf: &Leaf<'_>) -> Option<&Field> {
        self.fields.get(&hash64(leaf.name.as_bytes()))
    }

    /// Bits of a field that it never had: by how many fields one content alone had.
    pub(super) fn new_field_bits(&self, age_ns: u64) -> f64 {
        if FIELDS_MAX <= self.fields.len() {
            return 0.0;
        }
        let is_single = |field: &&Field| field.users.kept().len() < 2;
        let singles = self.fields.values().filter(is_single).count();
        surprisal(self.contents, u32::try_from(singles).unwrap_or(u32::MAX), age_ns)
    }

    /// Takes in a content by `who`.
    pub(super) fn learn(&mut self, leaves: &[Leaf<'_>], who: u32) {
        if leaves.is_empty() {
            return;
        }
        self.contents = self.contents.saturating_add(1);
        if self.orders.add(order(leaves)) {
            self.order_changes = self.order_changes.saturating_add(1);
        }
        let mut last = None;
        for leaf in leaves {
            let key = hash64(leaf.name.as_bytes());
            if !self.fields.contains_key(&key) && FIELDS_MAX <= self.fields.len() {
                self.dropped = self.dropped.saturating_add(1);
                continue;
            }
            let name = || Field { name: leaf.name.as_str().into(), ..Field::default() };
            let field = self.fields.entry(key).or_insert_with(name);
            // The elements of one list count once.
            if last.replace(key) != Some(key) {
                field.present = field.present.saturating_add(1).min(self.contents);
                field.users.add(who);
            }
            field.learn(leaf, who);
        }
    }

    /// Bits of the most surprising of the classes.
    pub(super) fn sensitive_bits(&self, classes: u8, age_ns: u64) -> f64 {
        let has = |(place, _): &(usize, &Habit)| classes & (1 << place) != 0;
        let bits = self.sensitive.iter().enumerate().filter(has).map(|(_, h)| h.bits(age_ns));
        bits.fold(0.0, f64::max)
    }

    /// Takes in which sensitive classes a content has; `bits` of those that it never had.
    pub(super) fn learn_sensitive(&mut self, classes: u8, who: u32, bits: f64) {
        for (place, habit) in self.sensitive.iter_mut().enumerate() {
            if classes & (1 << place) == 0 { habit.keep() } else { habit.except(who, bits) }
        }
    }

    /// What of a content is unlike those before it.
    pub(super) fn oddities(&self, leaves: &[Leaf<'_>], age_ns: u64) -> Vec<Oddity> {
        let mut found = Vec::new();
        let mut odd = |what, name: &str, bits: f64| {
            if 1.0 <= bits {
                found.push(Oddity { what, name: name.to_owned(), bits });
            }
        };
        for leaf in leaves {
            let Some(field) = self.field(leaf) else {
                odd("is new", &leaf.name, self.new_field_bits(age_ns));
                continue;
            };
            let length = leaf.value.len() as u64;
            odd("is longer than ever", &leaf.name, excess(&field.lengths, length, 32, age_ns));
            if characters(&leaf.value) & !field.characters != 0 {
                let bits = surprisal(field.present, field.character_changes, age_ns);
                odd("has characters it never had", &leaf.name, bits);
            }
        }
        for field in self.fields.values() {
            let has = |leaf: &Leaf<'_>| leaf.name.as_bytes() == field.name.as_bytes();
            let absent = self.contents.saturating_sub(field.present);
            if absent * 64 < self.contents && !leaves.is_empty() && !leaves.iter().any(has) {
                let bits = surprisal(self.contents, absent, age_ns);
                odd("is missing", &field.name.to_string(), bits);
            }
        }
        if !leaves.is_empty() && !self.orders.may_have(order(leaves)) {
            let bits = surprisal(self.contents, self.order_changes, age_ns);
            odd("stand in a new order", "the fields", bits);
        }
        found
    }
}

/// The order of the names.
fn order(leaves: &[Leaf<'_>]) -> u32 {
    let mut names = Vec::new();
    for leaf in leaves {
        if !names.ends_with(leaf.name.as_bytes()) {
            names.extend_from_slice(leaf.name.as_bytes());
        }
        names.push(0);
    }
    hash32(&names)
}

impl Field {
    fn learn(&mut self, leaf: &Leaf<'_>, who: u32) {
        let shape = leaf.shape();
        self.kinds |= 1 << (leaf.kind as u8);
        self.shapes |= 1 << (shape as u16);
        let kinds = characters(&leaf.value);
        if kinds & !self.characters != 0 {
            self.characters |= kinds;
            self.character_changes = self.character_changes.saturating_add(1);
        }
        if let Some(class) = Sensitive::of(&leaf.value, shape) {
            self.sensitive |= 1 << (class as u8);
        }
        self.lengths.add(leaf.value.len() as u64);
        if let Some(number) = number(leaf) {
            self.numbers.add(number);
        }
        if shape == Shape::Url { self.addresses.except(who, 0.0) } else { self.addresses.keep() }
    }
}

/// The number that a value is.
pub(super) fn number(leaf: &Leaf<'_>) -> Option<u64> {
    let is_number = matches!(leaf.kind, Kind::Number | Kind::Text) && leaf.value.len() < 20;
    std::str::from_utf8(&leaf.value).ok().filter(|_| is_number)?.parse().ok()
}

/// Bits of a value that is at least `floor` and four times what nearly all others were.
pub(super) fn excess(spread: &Spread, value: u64, floor: u64, age_ns: u64) -> f64 {
    if value < floor {
        return 0.0;
    }
    let tail = spread.at_least(value / 4);
    let is_usual = spread.total() / 1024 < tail;
    if is_usual { 0.0 } else { surprisal(spread.total(), tail, age_ns) }
}

#[cfg(test)]
mod tests {
    use super::super::content::form;
    use super::*;

    const DAY_NS: u64 = 86_400_000_000_000;

    fn learned() -> Schema {
        let mut schema = Schema::default();
        for number in 0..500_u32 {
            let query = format!("name=user{number}&page={}", number % 10);
            schema.learn(&form(query.as_bytes()), number % 20);
        }
        schema
    }

    #[test]
    fn what_is_unlike_all_before_is_odd_and_what_is_like_them_is_not() {
        let schema = learned();
        let odd = |query: &str| {
            let found = schema.oddities(&form(query.as_bytes()), DAY_NS);
            found.into_iter().map(|odd| format!("{} {}", odd.name, odd.what)).collect::<Vec<_>>()
        };
        assert_eq!(odd("name=user7&page=3"), [""; 0]);
        assert_eq!(
            odd("name=user7&page=3&debug=1"),
            ["debug is new", "the fields stand in a new order"]
        );
        assert_eq!(odd("name=x'--&page=3"), ["name has characters it never had"]);
        assert_eq!(odd("page=3"), ["name is missing", "the fields stand in a new order"]);
        let long = format!("name={}&page=1", "a".repeat(500));
        assert_eq!(odd(&long), ["name is longer than ever"]);
    }

    #[test]
    fn oddities_of_a_young_schema_have_few_bits() {
        let found = learned().oddities(&form(b"name=x'--&page=3&debug=1"), 60_000_000_000);
        assert!(found.iter().all(|odd| odd.bits < 2.0), "{found:?}");
    }

    #[test]
    fn fields_and_their_users_are_bounded_and_what_is_dropped_is_counted() {
        let mut schema = Schema::default();
        for number in 0..200_u32 {
            schema.learn(&form(format!("f{number}=1&a=1").as_bytes()), number);
        }
        assert_eq!(schema.fields.len(), FIELDS_MAX);
        assert_eq!(schema.dropped, 200 + 1 - FIELDS_MAX as u64);
        let users = schema.fields.values().map(|field| field.users.kept().len()).max();
        assert_eq!(users, Some(FIELD_USERS_MAX));
        assert!(schema.new_field_bits(DAY_NS) < 0.1, "it cannot know");
    }
}
