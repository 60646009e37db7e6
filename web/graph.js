// The process graph. Where things stand was computed by the server; here it is only drawn.

import { bead, h, s } from "./dom.js";
import { plural } from "./words.js";

const LABEL_PX = 7.5;
const SUBLABEL_PX = 6.4;
const NUMBERS_SHOWN = 4;
const PADDING = 12;

/** Draws `graph`. `selected` is the key of the chosen node, `onselect` gets the one clicked. */
export function graphView(graph, selected, onselect) {
  if (!graph || graph.nodes.length === 0) {
    return null;
  }
  const nodes = new Map(graph.nodes.map((node) => [node.key, node]));
  const drawing = s(
    "svg",
    {
      class: "graph",
      viewBox: `0 0 ${graph.width} ${graph.height}`,
      width: graph.width,
      height: graph.height,
      role: "group",
      "aria-label": `${plural(graph.nodes.length, "process", "processes")}, each right of its parent`,
    },
    graph.edges.map((edge) => drawEdge(edge, nodes.get(edge.to))),
    graph.nodes.map((node) => drawNode(node, node.key === selected, onselect)),
  );
  return h("div", { class: "graph-frame", tabindex: "0", "aria-label": "Process graph" }, drawing);
}

function drawEdge(edge, to) {
  const [x1, y1] = edge.points[0];
  const [x2, y2] = edge.points[edge.points.length - 1];
  const middle = (x1 + x2) / 2;
  return s("path", {
    class: to?.kind === "actor" ? "edge is-told" : "edge",
    d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`,
  });
}

function drawNode(node, isSelected, onselect) {
  const classes = ["node", `is-${node.kind}`];
  const words = [node.label, node.sublabel];
  if (node.is_root) {
    classes.push("is-root");
    words.push("where it began");
  }
  if (node.is_dropped) {
    classes.push("is-dropped");
    words.push("not in the image");
  }
  if (isSelected) {
    classes.push("is-selected");
  }
  words.push(plural(node.steps.length, "step"));
  const choose = () => onselect(node);
  return s(
    "g",
    {
      class: classes.join(" "),
      transform: `translate(${node.x} ${node.y})`,
      role: "button",
      tabindex: "0",
      "aria-pressed": String(isSelected),
      "aria-label": words.join(", "),
      "data-focus": `node-${node.key}`,
      onclick: choose,
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          choose();
        }
      },
    },
    s("title", {}, words.join(" · ")),
    s("rect", { class: "node-box", width: node.width, height: node.height, rx: 9 }),
    line("node-label", node.label, node, { y: node.height / 2 - 3, px: LABEL_PX }),
    line("node-sublabel", node.sublabel, node, { y: node.height / 2 + 15, px: SUBLABEL_PX }),
    flags(node),
    numbers(node),
  );
}

/** One line of text, cut to the node's width; the whole of it is in the title. */
function line(name, text, node, { y, px }) {
  const room = Math.floor((node.width - 2 * PADDING) / px);
  const cut = text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  return s("text", { class: name, x: PADDING, y }, cut);
}

/** Small flags on the upper edge: words, not colours alone. */
function flags(node) {
  const texts = [];
  if (node.is_root) {
    texts.push(["root", "flag-root"]);
  }
  if (node.is_dropped) {
    texts.push(["not in image", "flag-dropped"]);
  }
  let x = 10;
  return texts.map(([text, name]) => {
    const width = text.length * 5.7 + 14;
    const flag = s(
      "g",
      { class: `flag ${name}`, transform: `translate(${x} -8)` },
      s("rect", { width, height: 16, rx: 8 }),
      s("text", { x: width / 2, y: 11.5, "text-anchor": "middle" }, text),
    );
    x += width + 6;
    return flag;
  });
}

/** The numbers of the node's steps, as the timeline has them, on its upper edge. */
function numbers(node) {
  const isMany = node.steps.length > NUMBERS_SHOWN;
  const texts = isMany ? [...node.steps.slice(0, NUMBERS_SHOWN - 1), "…"] : node.steps;
  const step = 22 + Math.max(0, ...texts.map((text) => String(text).length - 2)) * 6;
  return texts.map((text, index) =>
    bead(text, node.width - 16 - step * (texts.length - 1 - index), 0, { class: "bead" }),
  );
}
