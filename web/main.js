// Puts the page together: what is shown, what is known, and what changes it.

import { announce, h, shown } from "./dom.js";
import { openEvidence } from "./evidence.js";
import { fetched, listen } from "./live.js";
import { drawStatus } from "./status.js";
import { storiesView } from "./stories.js";
import { storyView } from "./story.js";
import { toggleZone, zoneName } from "./time.js";

const FINDINGS_SHOWN = 6;
const REDRAW_MS = 250;
/** What scrolls by itself, and stays where it is when a story is drawn anew. */
const FRAMES = [".graph-frame", ".lanes-frame"];
const SEVERITIES = ["low", "medium", "high", "critical"];

const main = document.getElementById("view");
const drawer = document.getElementById("drawer");
const statusLine = document.getElementById("status");
const zone = document.getElementById("zone");

const known = { stories: null, status: null, findings: [], isConnected: true, error: null };
/** The open story: its record, its graph and what is chosen in it. */
let open = null;
let timer = null;

/** What the address names: no story, a story, or one step of it (`#/story/s-…/step/3`). */
const ADDRESS = /^#\/story\/(s-[0-9a-f]{32})(?:\/step\/(\d{1,3}))?$/;

function route() {
  return ADDRESS.exec(location.hash)?.[1] ?? null;
}

function routeStep() {
  const number = ADDRESS.exec(location.hash)?.[2];
  return number ? Number(number) : null;
}

async function loadStories() {
  known.stories = (await fetched("/api/stories")) ?? [];
}

async function loadStory(id) {
  const [story, graph] = await Promise.all([
    fetched(`/api/stories/${id}`),
    fetched(`/api/stories/${id}/graph`),
  ]);
  if (route() !== id) {
    return;
  }
  const kept = open?.id === id ? open : { node: null, chosen: new Set(), step: null };
  open = { ...kept, id, story, graph };
}

/** Asks for what the present view shows, then draws it. */
async function load() {
  const id = route();
  try {
    await (id ? loadStory(id) : loadStories());
    known.error = null;
  } catch (error) {
    known.error = error.message;
  }
  draw();
}

/** Goes where the address says. */
async function start() {
  draw();
  await load();
  const number = routeStep();
  if (number !== null && open?.story?.steps[number - 1]) {
    showStep(number);
  }
}

/** Loads soon; many updates in a short time load once. */
function loadSoon() {
  timer ??= setTimeout(() => {
    timer = null;
    load();
  }, REDRAW_MS);
}

function draw() {
  const focus = document.activeElement?.getAttribute("data-focus");
  const scrolled = FRAMES.map((name) => {
    const frame = main.querySelector(name);
    return frame ? { left: frame.scrollLeft, top: frame.scrollTop } : null;
  });
  main.replaceChildren(...content());
  drawStatus(statusLine, known.status, known.isConnected);
  zone.textContent = zoneName();
  zone.setAttribute("aria-label", `Times in ${zoneName()}; change between UTC and local`);
  FRAMES.forEach((name, index) => {
    const frame = main.querySelector(name);
    if (frame) {
      frame.scrollTo(scrolled[index] ?? middleOf(frame, ".is-root"));
    }
  });
  if (focus) {
    main.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  }
}

/** Where to scroll `frame` so that what `selector` finds in it stands in its middle. */
function middleOf(frame, selector) {
  const found = frame.querySelector(selector)?.getBoundingClientRect();
  const around = frame.getBoundingClientRect();
  return {
    left: 0,
    top: found ? found.top + found.height / 2 - around.top - around.height / 2 : 0,
  };
}

function content() {
  if (known.error) {
    return [notice("The server cannot answer", known.error)];
  }
  const id = route();
  if (!id) {
    document.title = "Stories — Clew";
    return known.stories ? storiesView(known) : [];
  }
  if (open?.id !== id) {
    return [notice("Reading the story …", "")];
  }
  if (!open.story) {
    return [notice("There is no such story", "It may have been older than what is kept.")];
  }
  document.title = shown(`${open.story.title.replaceAll("`", "")} — Clew`);
  return storyView(open.story, open.graph, open, { node: choose, step: showStep, clear });
}

function notice(title, text) {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "empty-title" }, title),
    h("p", { class: "muted" }, text),
    route() ? h("p", {}, h("a", { href: "#/" }, "All stories")) : null,
  );
}

/** A node of the graph was clicked: its steps stand out; clicked again, all do. */
function choose(node) {
  const isSame = open.node === node.key;
  open.node = isSame ? null : node.key;
  open.chosen = new Set(isSame ? [] : node.steps);
  draw();
}

function clear() {
  open.node = null;
  open.chosen = new Set();
  draw();
}

/** Shows what proves a step, and names it in the address. */
function showStep(number) {
  const step = open.story.steps[number - 1];
  open.step = step.finding;
  history.replaceState(null, "", `#/story/${open.id}/step/${number}`);
  openEvidence(drawer, open.story, number, closeDrawer);
}

function closeDrawer() {
  if (drawer.hidden) {
    return;
  }
  drawer.hidden = true;
  if (open) {
    history.replaceState(null, "", `#/story/${open.id}`);
  }
  const opener = open?.step ? `step-${open.step}` : null;
  if (opener) {
    main.querySelector(`[data-focus="${CSS.escape(opener)}"]`)?.focus({ preventScroll: true });
  }
}

function onStory(summary) {
  const others = (known.stories ?? []).filter((story) => story.id !== summary.id);
  known.stories = [...others, summary].sort(byRank);
  if (route() === summary.id) {
    if ((open?.story?.revision ?? 0) < summary.revision) {
      announce(`The story has revision ${summary.revision}`);
      loadSoon();
    }
  } else if (!route()) {
    announce(`Story: ${summary.title}`);
    draw();
  }
}

function byRank(a, b) {
  return (
    SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
    b.likelihood_bits - a.likelihood_bits ||
    b.last - a.last ||
    (a.id < b.id ? -1 : 1)
  );
}

function move(step) {
  const links = [...main.querySelectorAll(".story-row > a, .step-open")];
  const at = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  t: changeZone,
  Escape: () => (drawer.hidden ? (location.hash = "#/") : closeDrawer()),
};

async function showStatus() {
  known.status = await fetched("/api/status");
  draw();
}

function changeZone() {
  toggleZone();
  draw();
}

window.addEventListener("hashchange", () => {
  drawer.hidden = true;
  open = null;
  window.scrollTo(0, 0);
  start().then(() => drawer.hidden && main.focus({ preventScroll: true }));
});
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key]) {
    KEYS[event.key]();
  }
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
zone.addEventListener("click", changeZone);
const updates = {
  story: onStory,
  finding: (finding) => {
    known.findings = [finding, ...known.findings].slice(0, FINDINGS_SHOWN);
    if (!route()) {
      draw();
    }
  },
  status: (status) => {
    const isFirst = known.status === null;
    known.status = status;
    if (isFirst && !route()) {
      draw();
    }
    drawStatus(statusLine, status, known.isConnected);
  },
  connected: (isConnected) => {
    known.isConnected = isConnected;
    drawStatus(statusLine, known.status, isConnected);
  },
  missed: loadSoon,
};
// With `?still` the page shows how things stood when it was opened: for pictures and tests.
const isStill = location.search === "?still";
start().then(isStill ? showStatus : () => listen(updates));
