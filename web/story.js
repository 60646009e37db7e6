// One story: told, drawn, and proven.

import { h, prose } from "./dom.js";
import { graphView } from "./graph.js";
import { narrativeView } from "./narrative.js";
import { stepsView } from "./steps.js";
import { duration, machine, span } from "./time.js";
import { timelineView } from "./timeline.js";
import { bits, certainty, impact, odds, plural, severity, technique } from "./words.js";

/** Kinds of entities in the order in which they are listed; the first ones stand at the top. */
const KINDS = {
  container: "Container",
  pod: "Pod",
  image: "Image",
  node: "Machine",
  user: "User",
  file: "Files",
  peer: "Peers",
  request: "Requests",
  credential: "Credentials",
  resource: "Resources",
};
const KINDS_ON_TOP = ["container", "pod", "image", "node"];
const ENTITIES_SHOWN = 8;

/**
 * The view. `view` holds the chosen node and steps; `on.node`, `on.step` and `on.clear` are told
 * of clicks.
 */
export function storyView(story, graph, view, on) {
  const drawing = graphView(graph, view.node, on.node);
  const lanes = timelineView(graph?.timeline, story, view.chosen, on.step);
  return [
    h("p", { class: "back" }, h("a", { href: "#/" }, "← All stories")),
    head(story),
    facts(story),
    drawing ? panel("Processes", hint(graph), drawing) : null,
    lanes ? panel("Timeline", chosenText(view.chosen, on.clear), lanes) : null,
    h(
      "div",
      { class: "story-columns" },
      h(
        "div",
        { class: "story-main" },
        h("h2", { class: "steps-head" }, "What it did"),
        stepsView(story, view.chosen, on.step),
        untold(story),
        narrativeView(story),
      ),
      aside(story),
    ),
  ].filter(Boolean);
}

function head(story) {
  const [first, last] = story.span;
  return h(
    "div",
    { class: "story-head" },
    h(
      "p",
      { class: "story-line" },
      severity(story.severity),
      h("time", { datetime: machine(first) }, span(first, last)),
      h("span", {}, last > first ? `over ${duration(last - first)}` : "in one moment"),
      h("span", {}, `revision ${story.revision}`),
    ),
    h("h1", {}, prose(story.title)),
    story.root.sentence
      ? h("p", { class: "story-root" }, h("strong", {}, "Root cause "), prose(story.root.sentence))
      : null,
  );
}

function facts(story) {
  const places = KINDS_ON_TOP.map((kind) => [kind, ofKind(story, kind)]);
  return h(
    "dl",
    { class: "facts" },
    h(
      "div",
      { title: `${certainty(story.likelihood_bits)}: by chance ${odds(story.likelihood_bits)}` },
      h("dt", {}, "Likelihood"),
      h("dd", {}, bits(story.likelihood_bits), h("small", {}, " bits")),
    ),
    h("div", {}, h("dt", {}, "Impact"), h("dd", {}, impact(story.impact.level))),
    places
      .filter(([, entities]) => entities.length > 0)
      .map(([kind, entities]) =>
        h(
          "div",
          {},
          h("dt", {}, KINDS[kind]),
          h(
            "dd",
            { class: "name", title: entities.map((entity) => entity.id).join("\n") },
            entities.map((entity) => entity.name || entity.id).join(", "),
          ),
        ),
      ),
  );
}

function ofKind(story, kind) {
  return story.entities.filter((entity) => entity.kind === kind);
}

function panel(title, note, drawing) {
  return h(
    "section",
    { class: "panel" },
    h("div", { class: "panel-head" }, h("h2", {}, title), h("p", { class: "fine" }, note)),
    drawing,
  );
}

function hint(graph) {
  const hasDropped = graph.nodes.some((node) => node.is_dropped);
  return hasDropped
    ? "Choose one to see its steps · dashed: a file that is not in the image"
    : "Choose one to see its steps";
}

function chosenText(chosen, onclear) {
  if (chosen.size === 0) {
    return "Choose a step to see its evidence";
  }
  return [
    `${plural(chosen.size, "step")} highlighted · `,
    h("button", { class: "link", type: "button", onclick: onclear }, "show all"),
  ];
}

function untold(story) {
  const count = story.steps_untold;
  return count > 0
    ? h("p", { class: "muted" }, `${plural(count, "more finding")} of these kinds, counted and not listed.`)
    : null;
}

function aside(story) {
  const kinds = Object.keys(KINDS).filter((kind) => !KINDS_ON_TOP.includes(kind));
  return h(
    "aside",
    { class: "story-aside", "aria-label": "About this story" },
    section(
      "What is at stake",
      story.impact.reasons.map((reason) => h("p", {}, prose(reason))),
    ),
    h(
      "section",
      { class: "blind" },
      h("h2", {}, "Blind spots"),
      story.blind_spots.length > 0
        ? h("ul", {}, story.blind_spots.map((spot) => h("li", {}, prose(spot))))
        : h("p", { class: "muted" }, "Nothing that is known of."),
    ),
    section("Techniques, in order", [
      h("div", { class: "techniques" }, story.techniques.map(technique)),
    ]),
    kinds.map((kind) => {
      const entities = ofKind(story, kind);
      const more = entities.length - ENTITIES_SHOWN;
      return section(KINDS[kind], [
        ...entities
          .slice(0, ENTITIES_SHOWN)
          .map((entity) => h("p", { class: "name", title: entity.id }, entity.name || entity.id)),
        ...(more > 0 ? [h("p", { class: "muted" }, `and ${more} more`)] : []),
      ]);
    }),
    h("p", { class: "fine" }, h("code", {}, story.id)),
  );
}

function section(title, content) {
  return content.length > 0 ? h("section", {}, h("h2", {}, title), content) : null;
}
