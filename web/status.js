// The line at the top: how things stand, each second.

import { h } from "./dom.js";
import { count, noun } from "./words.js";

function figure(label, value, attributes = {}) {
  return h("div", attributes, h("dd", {}, value), h("dt", {}, label));
}

/** What outputs could not bring to its place, with the reason of each. */
function notSent(outputs) {
  const lines = outputs.reduce((sum, output) => sum + output.failed + output.dropped, 0);
  const reasons = outputs.map((output) => `${output.name}: ${output.last_error ?? "no room"}`);
  return figure("not sent", count(lines), { class: "is-lossy", title: reasons.join("\n") });
}

/** Draws the status into `line`. */
export function drawStatus(line, status, isConnected) {
  if (!isConnected) {
    line.replaceChildren(
      h("div", { class: "is-away" }, h("dt", {}, "Not connected"), h("dd", {}, "asking again")),
    );
    return;
  }
  if (!status) {
    return;
  }
  const lost = status.lost_total;
  const unsent = status.outputs.filter((output) => output.failed + output.dropped > 0);
  line.replaceChildren(
    figure("events/s", count(status.events_per_second)),
    figure("lost", count(lost), {
      class: lost > 0 ? "is-lossy" : null,
      title: lost > 0 ? "Lost events lower what the stories can claim" : null,
    }),
    ...(unsent.length > 0 ? [notSent(unsent)] : []),
    figure(noun(status.findings_total, "finding", "findings"), count(status.findings_total)),
    figure(noun(status.stories_open, "story", "stories"), count(status.stories_open)),
  );
}

/** What is watched and what is not, for the foot of the list. */
export function sources(status) {
  if (!status) {
    return null;
  }
  const spots = status.blind_spots;
  return h(
    "section",
    { class: "watch" },
    h("h2", {}, "What is watched"),
    h("ul", { class: "plain" }, status.sources.map((source) => h("li", {}, source))),
    spots.length > 0 ? h("h2", {}, "Blind spots") : null,
    h("ul", { class: "plain" }, spots.map((spot) => h("li", {}, spot))),
    h("p", { class: "fine" }, `Clew ${status.version}`),
  );
}
