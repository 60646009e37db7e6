// The timeline: a lane for each process, and one thread through all steps in order of time.

import { bead, h, s } from "./dom.js";
import { duration } from "./time.js";

const LABEL_PX = 7;
const LABEL_ROOM = 176;
const GAPS_HEIGHT = 20;
/** A short story is stretched to this width, but no wider than so many times its own. */
const WIDTH = 1080;
const STRETCH_MAX = 2.6;

/** Draws `timeline`. `chosen` is the set of highlighted step numbers, `onopen` gets a number. */
export function timelineView(timeline, story, chosen, onopen) {
  if (!timeline || story.steps.length < 2) {
    return null;
  }
  const raw = timeline.lanes.flatMap((lane) => lane.marks.map((mark) => ({ ...mark, y: lane.y })));
  const first = Math.min(...raw.map((mark) => mark.x));
  const stretch = Math.max(1, Math.min(STRETCH_MAX, (WIDTH - first) / (timeline.width - first)));
  const marks = raw
    .map((mark) => ({ ...mark, x: first + (mark.x - first) * stretch }))
    .sort((a, b) => a.step - b.step);
  const width = first + (timeline.width - first) * stretch;
  const height = timeline.height + GAPS_HEIGHT;
  const drawing = s(
    "svg",
    {
      class: "lanes",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "group",
      "aria-label": "Steps in order of time, a lane for each process",
    },
    timeline.lanes.map((lane) => drawLane(lane, width)),
    s("path", { class: "thread", d: thread(marks) }),
    gaps(marks, timeline.height),
    marks.map((mark) => drawMark(mark, story, chosen.has(mark.step), onopen)),
  );
  return h("div", { class: "lanes-frame", tabindex: "0", "aria-label": "Timeline" }, drawing);
}

function drawLane(lane, width) {
  const room = Math.floor(LABEL_ROOM / LABEL_PX);
  const label = lane.label.length <= room ? lane.label : `${lane.label.slice(0, room - 1)}…`;
  return [
    s("line", { class: "lane-line", x1: LABEL_ROOM + 4, x2: width, y1: lane.y, y2: lane.y }),
    s("text", { class: "lane-label", x: 0, y: lane.y + 4 }, label, s("title", {}, lane.label)),
  ];
}

/** A curve from mark to mark. */
function thread(marks) {
  return marks
    .map((mark, index) => {
      if (index === 0) {
        return `M${mark.x} ${mark.y}`;
      }
      const before = marks[index - 1];
      const middle = (before.x + mark.x) / 2;
      return `C${middle} ${before.y} ${middle} ${mark.y} ${mark.x} ${mark.y}`;
    })
    .join("");
}

/** How long it took from each step to the next: the marks themselves are evenly spaced. */
function gaps(marks, y) {
  return marks.slice(1).map((mark, index) => {
    const before = marks[index];
    const x = (before.x + mark.x) / 2;
    const text = duration(Math.max(0, mark.time - before.time)).split(" ").slice(0, 2).join(" ");
    return s("text", { class: "lane-gap", x, y: y + 8, "text-anchor": "middle" }, text);
  });
}

function drawMark(mark, story, isChosen, onopen) {
  const sentence = story.steps[mark.step - 1]?.sentence ?? "";
  const drawn = bead(mark.step, mark.x, mark.y, {
    class: isChosen ? "bead mark is-chosen" : "bead mark",
    onclick: () => onopen(mark.step),
  });
  drawn.prepend(s("title", {}, `${mark.step}. ${sentence}`));
  return drawn;
}
