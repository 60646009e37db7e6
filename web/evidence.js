// The drawer with what proves a step: the finding, its fields, and the raw events.

import { h, prose } from "./dom.js";
import { fetchedExact, fetchedText } from "./live.js";
import { rawView } from "./raw.js";
import { clock, machine } from "./time.js";
import { bits, technique, tie } from "./words.js";

/** Fills `drawer` with the evidence of one step and shows it. */
export async function openEvidence(drawer, story, number, onclose) {
  const step = story.steps[number - 1];
  const title = h("h2", { tabindex: "-1" }, `Step ${number}`);
  const proof = h("div", { class: "proof" }, h("p", { class: "muted" }, "Reading the record …"));
  drawer.replaceChildren(
    h(
      "header",
      { class: "drawer-head" },
      title,
      h("time", { class: "muted", datetime: machine(step.time) }, clock(step.time)),
      h("button", { class: "close", type: "button", "aria-label": "Close", onclick: onclose }, "✕"),
    ),
    h("p", { class: "drawer-sentence" }, prose(step.sentence)),
    step.edge
      ? h(
          "p",
          { class: "drawer-why" },
          h("strong", {}, "Why it belongs: "),
          prose(step.edge.sentence.replace(/\.$/, "")),
          ` (${tie(step.edge.class).toLowerCase()}, +${bits(step.edge.bits)} bits)`,
        )
      : h("p", { class: "drawer-why" }, h("strong", {}, "Why it belongs: "), "the story began here"),
    h("div", { class: "techniques" }, step.techniques.map(technique)),
    proof,
  );
  drawer.hidden = false;
  title.focus({ preventScroll: true });
  const parts = await proofOf(step).catch((error) => [h("p", { class: "muted" }, error.message)]);
  proof.replaceChildren(...parts);
}

async function proofOf(step) {
  const finding = await fetchedExact(`/api/findings/${step.finding}`);
  const ids = [...new Set([step.event, ...(finding?.events ?? []), ...(step.edge?.events ?? [])])];
  const events = await Promise.all(ids.map((id) => fetchedText(`/api/events/${id}`)));
  return [
    finding ? findingView(finding) : h("p", { class: "muted" }, "The finding is no longer stored."),
    ...ids.map((id, index) =>
      h(
        "section",
        {},
        h("h3", {}, index === 0 ? "Raw event" : "Further event"),
        h("p", { class: "fine" }, h("code", {}, id)),
        events[index]
          ? rawView(events[index])
          : h("p", { class: "muted" }, "This event was not stored beside the finding."),
      ),
    ),
  ];
}

function findingView(finding) {
  const fields = Object.entries(finding.output_fields).filter(([, value]) => value !== null);
  return h(
    "section",
    {},
    h("h3", {}, "Finding"),
    h(
      "dl",
      { class: "fields" },
      field("Rule", finding.rule),
      field("Priority", finding.priority),
      field("Surprise", `${bits(finding.bits)} bits`),
      field("Host", finding.hostname),
      field("Output", finding.output),
      fields.map(([name, value]) => field(name, typeof value === "object" ? JSON.stringify(value) : value)),
    ),
  );
}

function field(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}
