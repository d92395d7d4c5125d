// What the server is asked, and how its errors are told.

/** The JSON at an address of this server. Throws an Error with the server's own reason. */
export async function json(address, signal) {
  let response;
  try {
    response = await fetch(address, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The dashboard's server does not answer. Is `greenexp dashboard` still running?");
  }
  const text = await response.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(text || `The server answered with status ${response.status}.`);
  }
  if (!response.ok) throw new Error(value.error ?? `The server answered with status ${response.status}.`);
  return value;
}

/** Listen for changes: `changed` is given the stamps of all sweeps, `heard` whether the server can be heard. */
export function listen(changed, heard) {
  const events = new EventSource("api/events");
  events.addEventListener("stamps", (event) => changed(JSON.parse(event.data)));
  events.addEventListener("open", () => heard(true));
  events.addEventListener("error", () => heard(false));
}
