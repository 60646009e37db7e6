// The list of stories, the worst first.

import { h, prose } from "./dom.js";
import { sources } from "./status.js";
import { machine, moment, span } from "./time.js";
import { bits, certainty, count, impact, plural, severity, technique } from "./words.js";

const TECHNIQUES_SHOWN = 5;
const BITS_OF_FULL_BAR = 60;

/** The view. */
export function storiesView({ stories, status, findings }) {
  return [
    h(
      "div",
      { class: "headline" },
      h("h1", {}, "Stories"),
      h("p", { class: "muted" }, headline(stories)),
    ),
    stories.length > 0
      ? h("ol", { class: "stories" }, stories.map(row))
      : h(
          "div",
          { class: "empty" },
          h("p", { class: "empty-title" }, "Nothing has joined into an attack."),
          h(
            "p",
            { class: "muted" },
            status ? `${count(status.events_total)} events were looked at.` : "Waiting for events.",
          ),
        ),
    findings.length > 0 ? latest(findings) : null,
    sources(status),
  ].filter(Boolean);
}

function headline(stories) {
  if (stories.length === 0) {
    return "None so far";
  }
  const urgent = stories.filter((story) => ["critical", "high"].includes(story.severity)).length;
  const all = `${plural(stories.length, "story", "stories")}, the worst first`;
  return urgent > 0 ? `${all} · ${urgent} to look at now` : all;
}

function row(story) {
  const places = [...story.containers, ...story.nodes];
  const more = story.techniques.length - TECHNIQUES_SHOWN;
  return h(
    "li",
    { class: `story-row is-${story.severity}` },
    h(
      "a",
      { href: `#/story/${story.id}`, "data-focus": story.id },
      h("div", { class: "story-rank" }, severity(story.severity)),
      h(
        "div",
        { class: "story-what" },
        h("h2", {}, prose(story.title)),
        h(
          "p",
          { class: "muted" },
          places.length > 0 ? [h("span", { class: "place" }, places.join(" · ")), " — "] : null,
          plural(story.steps, "step"),
          ", ",
          h("time", { datetime: machine(story.first) }, span(story.first, story.last)),
        ),
        h(
          "div",
          { class: "techniques" },
          story.techniques.slice(0, TECHNIQUES_SHOWN).map(technique),
          more > 0 ? h("span", { class: "technique" }, `+${more}`) : null,
        ),
      ),
      h(
        "dl",
        { class: "story-figures" },
        h(
          "div",
          { title: certainty(story.likelihood_bits) },
          h("dt", {}, "Likelihood"),
          h("dd", {}, bits(story.likelihood_bits), h("small", {}, " bits")),
          meter(story.likelihood_bits),
        ),
        h("div", {}, h("dt", {}, "Impact"), h("dd", {}, impact(story.impact))),
      ),
    ),
  );
}

function meter(value) {
  const fill = h("span", { class: "meter-fill" });
  const share = Math.max(0, Math.min(1, value / BITS_OF_FULL_BAR));
  fill.style.width = `${share * 100}%`;
  return h("span", { class: "meter", "aria-hidden": "true" }, fill);
}

function latest(findings) {
  return h(
    "section",
    { class: "latest" },
    h("h2", {}, "Just seen"),
    h(
      "ol",
      { class: "plain" },
      findings.map((finding) =>
        h(
          "li",
          {},
          h("time", { datetime: machine(finding.time) }, moment(finding.time)),
          h("span", { class: "latest-rule" }, finding.rule),
          h("span", { class: "muted latest-output" }, finding.output),
        ),
      ),
    ),
  );
}
