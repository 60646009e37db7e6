// Shows JSON as the server sent it. It is laid out from its text: parsed, a 64-bit number would
// be rounded, and a raw record must be the raw record.

import { h } from "./dom.js";

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;
const TEXT_MAX = 200_000;

/** `json` as an element, indented and with its kinds of values told apart. */
export function rawView(json) {
  const parts = [];
  let depth = 0;
  const tokens = json.slice(0, TEXT_MAX).match(TOKEN) ?? [];
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      depth += 1;
      const isEmpty = next === "}" || next === "]";
      parts.push(token, isEmpty ? "" : line(depth));
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const isEmpty = tokens[index - 1] === "{" || tokens[index - 1] === "[";
      parts.push(isEmpty ? "" : line(depth), token);
    } else if (token === ",") {
      parts.push(",", line(depth));
    } else if (token === ":") {
      parts.push(": ");
    } else {
      parts.push(h("span", { class: kind(token, next) }, token));
    }
  });
  const cut = json.length > TEXT_MAX ? [`${line(0)}… cut after ${TEXT_MAX} characters`] : [];
  return h("pre", { class: "raw", tabindex: "0" }, [...parts, ...cut].map(breakable));
}

/** A break of our own making, which must not be escaped like those from a machine. */
function breakable(part) {
  return typeof part === "string" ? document.createTextNode(part) : part;
}

function line(depth) {
  return `\n${"  ".repeat(Math.max(0, depth))}`;
}

function kind(token, next) {
  if (next === ":") {
    return "raw-key";
  }
  return token.startsWith('"') ? "raw-text" : "raw-number";
}
