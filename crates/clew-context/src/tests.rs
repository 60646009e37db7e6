//! Tests that are longer than the code beside which they would stand, and what all tests share.

mod argument;
pub(crate) mod builders;
mod falco;
mod fd;
mod properties;
mod record;

#[test]
fn a_sensor_that_goes_on_begins_nothing() {
    use builders::{HOST, exec, key, node};
    let mut context = crate::Context::default();
    for event in [node(), exec((9, HOST), clew_event::process::Executed::default())] {
        context.observe(&event);
    }
    let known = context.clone();
    let mut anew = node();
    if let clew_event::EventKind::NodeStarted(node) = &mut anew.kind {
        node.boot_unix_ns = clew_event::kernel::NodeStarted::GOES_ON;
    }
    context.observe(&anew);
    assert_eq!(context.started(&key(9)), known.started(&key(9)));
}
