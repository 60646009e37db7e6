//! What becomes of each key of a Falco configuration.

/// Whether a key has its effect here, and which or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes(&'static str),
    No(&'static str),
}

use Taken::{No, Yes};

const SHAPE: &str = "outputs with `format=falco` have the shape of Falco's defaults";
const OUTPUT: &str = "say it with `clew run --output`";
const KERNEL: &str = "Clew's sensor chooses its hooks and buffers itself; see `clew doctor`";
const LOGGING: &str = "Clew logs to standard error only";
const DROPS: &str = "losses are always counted, shown and told as blind spots of stories";

/// In ascending order of keys.
#[rustfmt::skip]
const KEYS: &[(&str, Taken)] = &[
    ("append_output", Yes("added to the outputs of the rules it fits")),
    ("base_syscalls", No("the sensor watches what the rules and its own state need")),
    ("buffer_format_base64", No("buffers are shown as text")),
    ("buffered_outputs", No("outputs are written as they come")),
    ("capture", No("use `clew run --record FILE`")),
    ("config_files", Yes("read after this file; lists add up, the rest is replaced")),
    ("engine", No(KERNEL)),
    ("falco_libs", No(KERNEL)),
    ("file_output", No(OUTPUT)),
    ("grpc", No("there is no gRPC interface")),
    ("grpc_output", No("there is no gRPC interface")),
    ("http_output", No(OUTPUT)),
    ("json_include_message_property", No(SHAPE)),
    ("json_include_output_fields_property", No(SHAPE)),
    ("json_include_output_property", No(SHAPE)),
    ("json_include_tags_property", No(SHAPE)),
    ("json_output", No("say it with `clew run --output stdout,format=falco`")),
    ("libs_logger", No(LOGGING)),
    ("load_plugins", No("sources are built in, there are no plugins to load")),
    ("log_level", No(LOGGING)),
    ("log_stderr", No(LOGGING)),
    ("log_syslog", No(LOGGING)),
    ("metrics", No("figures are always at /metrics of the page, for Prometheus")),
    ("output_timeout", No(OUTPUT)),
    ("outputs_queue", No("queues are bounded, and what they drop is counted")),
    ("plugins", No("sources are built in, there are no plugins to load")),
    ("plugins_hostinfo", No("sources are built in, there are no plugins to load")),
    ("priority", Yes("rules that are less urgent do not run")),
    ("program_output", No(OUTPUT)),
    ("rule_matching", Yes("how many rules may match one event")),
    ("rules", Yes("switches rules on and off, in order")),
    ("rules_file", Yes("rule files and directories, in order")),
    ("rules_files", Yes("rule files and directories, in order")),
    ("static_fields", No("alerts carry no fields that are the same for all of them yet")),
    ("stdout_output", No("findings are printed anyway, with `--json` as JSON lines")),
    ("syscall_event_drops", No(DROPS)),
    ("syscall_event_timeouts", No("an idle machine is no fault")),
    ("syslog_output", No(OUTPUT)),
    ("time_format_iso_8601", No("the time of day begins an output in Falco's form")),
    ("watch_config_files", Yes("rule files are always watched, and read again at SIGHUP")),
    ("webserver", No("the page is served at `clew run --listen`")),
];

/// True where a value says what is so here anyway.
pub(super) fn is_so_here(key: &str, value: &str) -> bool {
    match key {
        "json_include_output_property"
        | "json_include_output_fields_property"
        | "json_include_tags_property" => value == "true",
        "json_include_message_property"
        | "buffered_outputs"
        | "time_format_iso_8601"
        | "buffer_format_base64" => value == "false",
        _ => false,
    }
}

/// The option of `clew run` that sends to where an output of the configuration sends.
pub(super) fn output_option(key: &str, text_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    // A comma of a value is written twice.
    let text = |name: &str| text_of(name).map(|text| text.replace(',', ",,"));
    let target = match key {
        "syslog_output" => "syslog".to_owned(),
        "file_output" => format!("file:{}", text("filename")?),
        "http_output" => format!("http:{}", text("url")?),
        "program_output" => {
            let keep = if text("keep_alive").as_deref() == Some("true") { ",keep=yes" } else { "" };
            format!("program:{}{keep}", text("program")?)
        }
        _ => return None,
    };
    Some(format!("say it with `clew run --output '{target},format=falco'`"))
}

/// What becomes of a key.
pub(super) fn lookup(key: &str) -> Taken {
    let found = KEYS.binary_search_by(|(name, _)| (*name).cmp(key)).ok();
    let found = found.and_then(|index| KEYS.get(index));
    found.map_or(No("Falco has no such key that Clew knows of"), |(_, taken)| *taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_stand_in_ascending_order() {
        assert!(KEYS.is_sorted_by_key(|(key, _)| *key));
        assert!(matches!(lookup("rules_files"), Yes(_)));
        assert_eq!(lookup("rules_fils"), No("Falco has no such key that Clew knows of"));
    }
}
