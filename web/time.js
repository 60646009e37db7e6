// Points in time, in UTC or in the zone of whoever looks.

const KEY = "clew-zone";
const DAY_MS = 86_400_000;

let isLocal = read() === "local";

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Changes between UTC and local time. */
export function toggleZone() {
  isLocal = !isLocal;
  try {
    localStorage.setItem(KEY, isLocal ? "local" : "utc");
  } catch {
    // The choice then lasts as long as the page.
  }
}

/** The zone's name: `UTC`, or how the browser calls its own. */
export function zoneName() {
  if (!isLocal) {
    return "UTC";
  }
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts();
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "local";
}

function fields(ns) {
  const date = new Date(ns / 1e6);
  const shifted = isLocal ? new Date(date - date.getTimezoneOffset() * 60_000) : date;
  const iso = Number.isNaN(shifted.getTime()) ? "????-??-??T??:??:??.???" : shifted.toISOString();
  return { day: iso.slice(0, 10), clock: iso.slice(11, 19), ms: iso.slice(20, 23) };
}

/** `19:02:11.118`. */
export function clock(ns) {
  const { clock, ms } = fields(ns);
  return `${clock}.${ms}`;
}

/** `2026-11-24 19:02:11`; without the day where it is today. */
export function moment(ns) {
  const { day, clock } = fields(ns);
  return day === fields(Date.now() * 1e6).day ? clock : `${day} ${clock}`;
}

/** First and last moment in one: `19:02:11 – 19:02:13`. */
export function span(first, last) {
  const [from, to] = [fields(first), fields(last)];
  if (from.day !== to.day) {
    return `${moment(first)} – ${moment(last)}`;
  }
  return from.clock === to.clock ? moment(first) : `${moment(first)} – ${to.clock}`;
}

/** How much later: `+46 ms`; `−429 ms` where one of two clocks knows seconds only. */
export function later(ns) {
  return ns < 0 ? `−${duration(-ns)}` : `+${duration(ns)}`;
}

/** How long: `46 ms`, `1.8 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ns) {
  const ms = ns / 1e6;
  const seconds = Math.round(ms / 1000);
  if (ms < 1) {
    return `${Math.round(ns / 1e3)} µs`;
  }
  if (ms < 1000) {
    return `${Math.round(ms)} ms`;
  }
  if (ms < 60_000) {
    return `${(ms / 1000).toFixed(1)} s`;
  }
  if (ms < 3_600_000) {
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  if (ms < DAY_MS) {
    return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  }
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** For the `datetime` attribute. */
export function machine(ns) {
  const date = new Date(ns / 1e6);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
