// Words and marks for severities, certainty, impact and ties. Each mark differs in shape and in
// text, so that none depends on telling colours apart.

import { h, s } from "./dom.js";
import { TECHNIQUES } from "./techniques.js";

const SEVERITIES = {
  critical: { word: "Critical", path: "M5.3 1h5.4L15 5.3v5.4L10.7 15H5.3L1 10.7V5.3z" },
  high: { word: "High", path: "M8 1.5 15.2 14.2H.8z" },
  medium: { word: "Medium", path: "M8 .8 15.2 8 8 15.2.8 8z" },
  low: { word: "Low", path: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z" },
};

/** The severity as shape and word. */
export function severity(level) {
  const { word, path } = SEVERITIES[level] ?? SEVERITIES.low;
  const shape = s(
    "svg",
    { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true" },
    s("path", { d: path }),
  );
  return h("span", { class: `severity is-${level}` }, shape, word);
}

/** How sure, in the words that the narrative is tied to. */
export function certainty(bits) {
  if (bits >= 10) {
    return "An attack";
  }
  if (bits >= 4) {
    return "Very likely an attack";
  }
  return bits >= 1 ? "Possibly an attack" : "Perhaps a coincidence";
}

/** Bits with one digit: `94.2`. */
export function bits(value) {
  return value.toFixed(1);
}

/** `1 in 4,096`, or a power of ten where that is shorter: how rarely a coincidence does this. */
export function odds(value) {
  if (value < 20) {
    return `1 in ${count(Math.round(2 ** value))}`;
  }
  const digits = String(Math.round(value * Math.LOG10E * Math.LN2));
  return `1 in 10${[...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
}

const IMPACTS = { low: "Low", medium: "Medium", high: "High", critical: "Critical" };

/** How much is at stake. */
export function impact(level) {
  return IMPACTS[level] ?? level;
}

const TIES = {
  C: "Caused",
  I: "Same identity",
  S: "Rarely shared",
  X: "Context",
};

/** How strong a tie is by its nature. */
export function tie(edgeClass) {
  return TIES[edgeClass] ?? edgeClass;
}

/** `12,345`. */
export function count(value) {
  return Math.round(value).toLocaleString("en-US");
}

/** The word for one or for many. */
export function noun(value, one, many) {
  return value === 1 ? one : many;
}

/** `1 step`, `2 steps`. */
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${noun(value, one, many)}`;
}

/** One technique, by name where it is known; the id stays readable beside it. */
export function technique(id) {
  const name = TECHNIQUES[id] ?? TECHNIQUES[id.split(".")[0]];
  return h(
    "span",
    { class: "technique", title: name ? `${id} ${name}` : id },
    h("span", { class: "technique-id" }, id),
    name ? h("span", { class: "technique-name" }, name) : null,
  );
}
