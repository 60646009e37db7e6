// The told story. Its text comes from the server as paragraphs, each a heading and indented
// lines; what the page already shows from the same story in its own place is not repeated.

import { h, prose } from "./dom.js";

/** The paragraphs of `story` that are shown nowhere else. */
export function narrativeView(story) {
  return paragraphs(story.narrative)
    .filter((paragraph) => !isShown(paragraph, story))
    .map(({ heading, lines }) =>
      h(
        "section",
        { class: "told" },
        heading ? h("h2", {}, prose(heading)) : null,
        lines.map((line) => h("p", {}, prose(line))),
      ),
    );
}

function paragraphs(text) {
  return text
    .split(/\n\s*\n/)
    .filter((block) => block.trim() !== "")
    .map((block) => {
      const lines = block.split("\n").filter((line) => line.trim() !== "");
      const hasHeading = lines.length > 1 && !/^\s/.test(lines[0]) && /^\s/.test(lines[1]);
      return {
        heading: hasHeading ? lines[0] : null,
        lines: lines.slice(hasHeading ? 1 : 0).map((line) => line.trim()),
      };
    });
}

/** True for the title, the root, the steps, the impact and the blind spots. */
function isShown({ heading, lines }, story) {
  const isOf = (sentences) => lines.every((line) => sentences.includes(line));
  const isSteps = lines.every((line) => /^(\d+\. |And \d+ more )/.test(line));
  const isTitle = heading === null && lines[0]?.endsWith(story.title);
  return isTitle || isSteps || isOf([story.root.sentence]) || isOf(story.impact.reasons) || isOf(story.blind_spots);
}
