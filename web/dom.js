// Builds elements. Every text goes through `shown` and `textContent`: what comes from a watched
// machine is never parsed as markup, and nothing in it acts on the page or turns its direction.

const SVG = "http://www.w3.org/2000/svg";

// Unicode Cc and Cf, and the line and paragraph separators; the same as `clew-event` escapes.
const HARMFUL =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** `text` with whatever is not plain text written out: `\x1b`, `\u{202e}`. */
export function shown(text) {
  return String(text).replace(HARMFUL, (character) => {
    const code = character.codePointAt(0);
    return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** An HTML element. Attributes that are null or false are left out; `on…` are listeners. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : shown(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child instanceof Node) {
      element.append(child);
    } else if (child !== null && child !== undefined && child !== false) {
      element.append(document.createTextNode(shown(child)));
    }
  }
  return element;
}

/** Text whose `back-ticked` parts are set as code, as the sentences of a story have them. */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

/** The number of a step in a drawing: a bead with `text` around (`x`, `y`). */
export function bead(text, x, y, attributes) {
  const width = 20 + Math.max(0, String(text).length - 2) * 6;
  return s(
    "g",
    { ...attributes, transform: `translate(${x} ${y})` },
    s("rect", { x: -width / 2, y: -10, width, height: 20, rx: 10 }),
    s("text", { y: 3.6, "text-anchor": "middle" }, text),
  );
}

/** Tells a screen reader. */
export function announce(text) {
  document.getElementById("announcement").textContent = shown(text);
}
