// The steps of a story as a list along the thread: what, when, by which rule, and why it belongs.

import { h, prose } from "./dom.js";
import { clock, later, machine } from "./time.js";
import { bits, technique, tie } from "./words.js";

/** The list. `chosen` is the set of highlighted step numbers, `onopen` gets a number. */
export function stepsView(story, chosen, onopen) {
  const start = story.steps[0]?.time ?? 0;
  const numbers = new Map(story.steps.map((step, index) => [step.finding, index + 1]));
  return h(
    "ol",
    { class: chosen.size > 0 ? "steps has-chosen" : "steps" },
    story.steps.map((step, index) => {
      const number = index + 1;
      return h(
        "li",
        { class: chosen.has(number) ? "step is-chosen" : "step", id: `step-${number}` },
        h(
          "div",
          { class: "step-time" },
          h("time", { datetime: machine(step.time) }, clock(step.time)),
          h("span", {}, index === 0 ? "start" : later(step.time - start)),
        ),
        h("span", { class: "step-dot", "aria-hidden": "true" }, number),
        h(
          "div",
          { class: "step-body" },
          h(
            "button",
            {
              class: "step-open",
              type: "button",
              title: "Show the evidence",
              "data-focus": `step-${step.finding}`,
              onclick: () => onopen(number),
            },
            prose(step.sentence),
          ),
          h(
            "div",
            { class: "step-notes" },
            h("span", { class: "step-rule" }, step.rule),
            step.techniques.map(technique),
          ),
          step.edge ? why(step.edge, numbers) : null,
        ),
      );
    }),
  );
}

function why(edge, numbers) {
  const from = numbers.get(edge.from);
  return h(
    "p",
    { class: "why" },
    h("span", { class: `tie is-${edge.class}` }, tie(edge.class)),
    h("span", {}, prose(edge.sentence)),
    h(
      "span",
      { class: "why-bits" },
      from ? `from step ${from} · ` : "",
      `+${bits(edge.bits)} bits`,
    ),
  );
}
