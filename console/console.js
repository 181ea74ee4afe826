"use strict";
// Asks for the state once a second and shows it. Text goes in as text: nothing from the mesh is read as HTML.

const PERIOD_MS = 1000;

function cell(row, text, className) {
  const td = row.insertCell();
  td.textContent = text;
  if (className) td.className = className;
}

function table(id, heads, rows, empty) {
  const place = document.getElementById(id);
  if (rows.length === 0) {
    place.textContent = empty;
    return;
  }
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  for (const text of heads) {
    const th = document.createElement("th");
    th.scope = "col";
    th.textContent = text;
    head.append(th);
  }
  const body = made.createTBody();
  for (const values of rows) {
    const row = body.insertRow();
    for (const value of values) cell(row, ...[].concat(value));
  }
  place.replaceChildren(made);
}

function state(proxy) {
  if (!proxy.known_group) return ["no such Gateway", "waiting"];
  if (proxy.refusals.length > 0) return [`refused: ${proxy.refusals.join("; ")}`, "bad"];
  return proxy.in_sync ? ["in sync", "good"] : ["behind", "waiting"];
}

function show(view) {
  document.getElementById("summary").textContent = `revision ${view.revision}, published ${view.published_revision}`;
  table("proxies", ["proxy", "group", "state", "xDS", "connected since"],
    view.proxies.map((p) => [p.node_id, p.group, state(p), p.variant, new Date(p.connected_since).toLocaleString()]),
    "no proxy is connected");
  table("services", ["service", "endpoints", "versions"],
    view.services.map((s) => [s.name, String(s.endpoints), s.versions.join(", ")]), "no service");
  table("revisions", ["revision", "at", "by", "why", "what"],
    view.revisions.map((r) => [String(r.number), new Date(r.at).toLocaleString(), r.author, r.reason, r.changes.join("; ")]),
    "no revision yet");
}

async function refresh() {
  try {
    const response = await fetch("/api/state");
    if (!response.ok) throw new Error(response.statusText);
    show(await response.json());
  } catch (error) {
    document.getElementById("summary").textContent = `the control plane does not answer (${error.message})`;
  } finally {
    setTimeout(refresh, PERIOD_MS);
  }
}

refresh();
