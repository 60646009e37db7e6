// What the server answers, and what it tells by itself.

/** A record of the server, or null where there is none. */
export async function fetched(path) {
  const response = await fetch(path, { headers: { accept: "application/json" } });
  if (response.status === 404) {
    return null;
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(body.error ?? `${response.status} ${response.statusText}`);
  }
  return response.json();
}

/** A record in which a number that JavaScript would round is the text it was sent as. */
export async function fetchedExact(path) {
  const text = await fetchedText(path);
  return text === null ? null : JSON.parse(text, exact);
}

function exact(_key, value, context) {
  const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return isRounded && context?.source ? context.source : value;
}

/** The text of a record, for numbers that JavaScript would round. */
export async function fetchedText(path) {
  const response = await fetch(path);
  return response.ok ? response.text() : null;
}

/**
 * Listens to the server. `on.story`, `on.finding` and `on.status` get what came; `on.connected`
 * gets whether there is a connection; `on.missed` is called where updates may have been missed,
 * so that everything must be asked for anew.
 */
export function listen(on) {
  const source = new EventSource("/api/live");
  source.addEventListener("open", () => {
    on.connected(true);
    on.missed();
  });
  source.addEventListener("error", () => {
    on.connected(false);
    if (source.readyState === EventSource.CLOSED) {
      // The browser gives up where the server refuses; it may take us later.
      setTimeout(() => listen(on), 3000);
    }
  });
  source.addEventListener("lagged", on.missed);
  for (const name of ["story", "finding", "status"]) {
    source.addEventListener(name, (message) => on[name](JSON.parse(message.data)));
  }
}
