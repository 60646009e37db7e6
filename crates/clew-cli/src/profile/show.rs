//! Profiles as people and machines read them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clew_event::Text;
use clew_profile::profiles::learned_words;
use clew_profile::record::Record;
use clew_profile::workload::Version;
use clew_profile::{Class, Item, Profile};
use serde_json::{Value, json};

/// One line for a profile.
pub(super) fn line(
    out: &mut impl Write,
    name: &Text,
    version: &Version,
    is_json: bool,
) -> io::Result<()> {
    let profile = &version.profile;
    let [units, _, items, _] = profile.sizes();
    let ready = Class::ALL.into_iter().filter(|class| profile.is_ready(*class));
    let ready: Vec<&str> = ready.map(Class::name).collect();
    if is_json {
        let line = json!({
            "type": "profile",
            "workload": name,
            "image": version.image,
            "digest": version.digest,
            "units": units,
            "items": items,
            "ready": ready,
            "quarantined": profile.quarantined(),
            "dropped": profile.dropped,
        });
        return writeln!(out, "{line}");
    }
    let ready = if ready.is_empty() { "nothing ready".into() } else { ready.join(", ") };
    let taken = match profile.quarantined() {
        0 => String::new(),
        taken => format!(", {} taken back as suspicious", counted(taken, "unit")),
    };
    let (items, units) = (counted(items, "behavior"), counted(units, "unit"));
    let image =
        if version.image.is_empty() { String::new() } else { format!(" {}", version.image) };
    writeln!(out, "{name}{image}: {items} in {units}{taken}; {ready}")
}

/// `1 unit`, `2 units`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What a workload does, by class and program.
pub(super) fn tree(
    out: &mut impl Write,
    name: &Text,
    version: &Version,
    is_json: bool,
) -> io::Result<()> {
    let profile = &version.profile;
    if is_json {
        for (item, record) in profile.items() {
            writeln!(out, "{}", item_line(name, version, &item, record))?;
        }
        return Ok(());
    }
    writeln!(out, "{name} {}", version.image)?;
    let mut before = (None, "");
    for (item, record) in profile.items() {
        if before.0 != Some(item.class) {
            writeln!(out, "  {}", item.class.name())?;
        }
        if before != (Some(item.class), item.who) {
            writeln!(out, "    {}", item.who)?;
        }
        before = (Some(item.class), item.who);
        let how = if item.how.is_empty() { String::new() } else { format!("{} ", item.how) };
        let told = match record.told_bits {
            0 => String::new(),
            bits => format!(", told with {bits} bits"),
        };
        let units = counted(usize::try_from(record.units).unwrap_or(usize::MAX), "unit");
        let doubt = match record.suspect {
            _ if record.is_normal(record.last) => "",
            Some(_) => ", taken back as suspicious",
            None => ", not normal yet",
        };
        writeln!(out, "      {how}{}  ({units}{doubt}{told})", item.what())?;
    }
    Ok(())
}

fn item_line(name: &Text, version: &Version, item: &Item<'_>, record: &Record) -> Value {
    json!({
        "type": "item",
        "workload": name,
        "digest": version.digest,
        "key": item.key(),
        "class": item.class.name(),
        "who": item.who,
        "how": item.how,
        "what": item.what(),
        "units": record.units,
        "first": slice_time(record.first),
        "last": slice_time(record.last),
        "is_normal": record.is_normal(record.last),
        "told_bits": record.told_bits,
    })
}

fn slice_time(slice: u32) -> String {
    let seconds = u64::from(slice) * clew_profile::unit::SLICE_SECONDS;
    clew_event::TimestampNs::from_unix_ns(seconds * 1_000_000_000).to_string()
}

/// How far each class is learned.
pub(super) fn progress(
    out: &mut impl Write,
    name: &Text,
    version: &Version,
    is_json: bool,
) -> io::Result<()> {
    let profile = &version.profile;
    let [hours, weekdays] = profile.phases.counts();
    if !is_json {
        writeln!(out, "{name} {}: {hours}/24 hours, {weekdays}/7 weekdays seen", version.image)?;
    }
    let has_items = |class: &Class| profile.items().any(|(item, _)| item.class == *class);
    for class in Class::ALL.into_iter().filter(has_items) {
        let sample = profile.sample(class);
        let words = learned_words(profile, class, sample);
        let kept = profile.kept(class);
        if is_json {
            let line = json!({
                "type": "progress",
                "workload": name,
                "digest": version.digest,
                "class": class.name(),
                "units": sample.units,
                "unseen": sample.unseen(),
                "bound": sample.bound(),
                "is_ready": profile.is_ready(class),
                "is_drifting": profile.is_drifting(class),
                "promised": kept.promised,
                "realized": kept.realized,
                "hours": hours,
                "weekdays": weekdays,
                "words": words,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let state = match (profile.is_ready(class), profile.is_drifting(class)) {
            (true, _) => "ready",
            (_, true) => "drifting",
            _ => "learning",
        };
        let until_now = if kept.promised == 0.0 && kept.realized == 0 {
            String::new()
        } else {
            format!(
                " ({:.1} new units were expected until now, {} came)",
                kept.promised, kept.realized
            )
        };
        writeln!(out, "  {:15} {state:9} {words}{until_now}", class.name())?;
    }
    Ok(())
}

/// What two profiles do not have in common, and in how many units it was seen: what one unit alone
/// did is often no change but chance. Always one, so that no difference is an answer too.
pub(super) fn difference(
    out: &mut impl Write,
    a: &Profile,
    b: &Profile,
    is_json: bool,
) -> io::Result<usize> {
    let keys = |profile: &Profile| -> BTreeMap<String, (String, u64)> {
        let done = profile.items().filter(|(_, record)| 0 < record.units);
        done.map(|(item, record)| (item.key(), (item.to_string(), record.units))).collect()
    };
    let (a, b) = (keys(a), keys(b));
    let gone = a.iter().filter(|(key, _)| !b.contains_key(*key)).map(|it| (it, "-", "removed"));
    let new = b.iter().filter(|(key, _)| !a.contains_key(*key)).map(|it| (it, "+", "added"));
    for ((key, (shown, units)), sign, change) in gone.chain(new) {
        if is_json {
            let line = json!({"type": "difference", "change": change, "key": key, "units": units});
            writeln!(out, "{line}")?;
        } else {
            let class = key.split('\t').next().unwrap_or_default();
            let units = counted(usize::try_from(*units).unwrap_or(usize::MAX), "unit");
            writeln!(out, "{sign} {class} {shown}  ({units})")?;
        }
    }
    Ok(1)
}
