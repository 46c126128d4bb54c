// The map page: puts the parts together and keeps the beat.

import { fillCard } from "./card.js";
import { Clients } from "./clients.js";
import { clientAt, drawDots } from "./dots.js";
import { compact, element } from "./elements.js";
import { Floors } from "./floors.js";
import { wireInput } from "./input.js";
import { Ledger, showAccessPoints } from "./ledger.js";
import { Legend } from "./legend.js";
import { boundsOf, contains, drawPlan } from "./plan.js";
import { wireSearch } from "./search.js";
import { follow, poll } from "./stream.js";
import { watchTheme } from "./theme.js";
import { Tiles } from "./tiles.js";
import { View } from "./view.js";

const LEDGER_MS = 1000;
const PLAN_MS = 5000;
const CARD_MS = 120;
const EDGES = [36, 40, 64, 40]; // kept free around the plan: top, right, bottom, left, in pixels

const at = (id) => document.getElementById(id);
const map = at("map");
const view = new View();
const tiles = new Tiles();
const ledger = new Ledger();
const legend = new Legend();
const floors = new Floors(chooseFloor);
const show = { ellipses: true, truth: true, zones: true, anchors: true };

let clients = new Clients();
let site = null;
let floor = null;
let hasTruth = false;
let chosen = null;
let hovered = null;
let pointer = null;
let occupancy = new Map();
let latest = null; // the newest ledger
let streams = [];
let drawnPlan = "";
let planVersion = 0;
let frames = { count: 0, cost_ms: 0, since: performance.now() };

start();

async function start() {
  watchTheme(() => {
    planVersion += 1;
  });
  wireInput(map, {
    pan: (dx, dy) => view.pan(dx, dy),
    zoom: (...how) => view.zoom(...how),
    point,
    click,
    key,
  });
  wireSearch(
    () => clients,
    floorName,
    (client) => choose(client, true),
  );
  wireButtons();
  new ResizeObserver(resize).observe(map);
  requestAnimationFrame(frame);
  setInterval(beat, 500);
  const { sites } = await firstAnswer("/api/v1/sites");
  if (!sites.length) return notice("This node serves no site yet.");
  at("site").append(
    ...sites.map(({ site, name }) => element("option", { value: site, textContent: name || site })),
  );
  const wanted = decodeURIComponent(location.hash.slice(1));
  openSite(sites.some(({ site }) => site === wanted) ? wanted : sites[0].site, sites[0].site);
  at("site").addEventListener("change", (event) => openSite(event.target.value, sites[0].site));
}

/** Asks until the node answers: it may still be starting. */
async function firstAnswer(url) {
  for (;;) {
    try {
      const answer = await fetch(url);
      if (answer.ok) return await answer.json();
    } catch {
      connection("reconnecting");
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function openSite(id, demoSite) {
  for (const end of streams) end();
  clients = new Clients();
  [site, floor, hovered, hasTruth, latest] = [null, null, null, false, null];
  choose(null);
  at("site").value = id;
  location.hash = encodeURIComponent(id);
  const path = `/api/v1/sites/${encodeURIComponent(id)}`;
  takeSite(await firstAnswer(path));
  const truth = id === demoSite ? await fetch("/api/v1/demo/truth") : null;
  hasTruth = truth?.ok ?? false;
  document.querySelector("[data-show=truth]").hidden = !hasTruth;
  streams = [
    follow(
      `${path}/fixes`,
      { fixes: (fixes) => clients.take(fixes, performance.now()) },
      connection,
    ),
    poll("/api/v1/ledger", LEDGER_MS, takeLedger),
    poll(path, PLAN_MS, takeSite),
  ];
  if (hasTruth)
    streams.push(follow("/api/v1/demo/truth", { truth: (truth) => clients.takeTruth(truth) }));
}

function takeSite(body) {
  const isNew = site?.site !== body.site;
  site = body;
  planVersion += 1;
  document.title = `${site.name || site.site} · Trilobite`;
  const kept = site.floors.find(({ id }) => id === floor?.id);
  floor = kept ?? site.floors[0];
  floors.show(site, floor.id, clients.countByFloor());
  if (isNew) fit();
  if (latest)
    showAccessPoints(
      site.anchors,
      latest.agents.filter((agent) => agent.site === site.site),
    );
}

function takeLedger(body) {
  const books = body.sites.find((entry) => entry.site === site?.site);
  if (!books) return;
  const before = latest?.sites.find((entry) => entry.site === site.site)?.fixes.published;
  const seconds = latest ? (Date.parse(body.time) - Date.parse(latest.time)) / 1000 : 0;
  const known = before !== undefined && seconds > 0;
  const rate = known ? Math.max(0, books.fixes.published - before) / seconds : null;
  latest = body;
  const accuracy = hasTruth ? clients.accuracy() : null;
  tiles.show({ clients: clients.byId.size, rate, latency: body.latency, accuracy });
  ledger.show(books.books, body.time);
  showAccessPoints(
    site.anchors,
    body.agents.filter((agent) => agent.site === site.site),
  );
}

function connection(state) {
  const pill = at("connection");
  pill.dataset.state = document.body.dataset.connection = state;
  pill.textContent = state === "live" ? "live" : `${state}…`;
}

function chooseFloor(id) {
  floor = site.floors.find((floor) => floor.id === id) ?? floor;
  hovered = null;
  planVersion += 1;
  countZones();
  floors.show(site, floor.id, clients.countByFloor());
  const count = clients.countByFloor().get(floor.id) ?? 0;
  at("spoken").textContent = `${floor.name || floor.id}, ${count} clients`;
}

function choose(client, goThere) {
  chosen = client;
  at("selected").hidden = !client;
  if (!client) return;
  if (client.fix.floor !== floor.id) chooseFloor(client.fix.floor);
  if (goThere) {
    if (view.scale < 14) view.zoom(14 / view.scale);
    view.glideTo(client.x, client.y);
  }
  fillCard(at("selected"), client, site.floors, performance.now(), () => choose(null));
}

function point(x, y) {
  pointer = x === null ? null : [x, y];
}

function click(x, y) {
  if (floor) choose(clientAt(clients, floor.id, x, y));
}

function key(name) {
  if (!site) return false;
  const step = { PageUp: 1, PageDown: -1 }[name];
  if (step) {
    const next = site.floors[site.floors.indexOf(floor) + step];
    if (next) chooseFloor(next.id);
  } else if (name === "0") fit();
  else if (name === "Escape") choose(null);
  else if (name === "n") {
    const here = [...clients.byId.values()].filter((client) => client.fix.floor === floor.id);
    if (here.length) choose(here[(here.indexOf(chosen) + 1) % here.length], true);
  } else return false;
  return true;
}

function wireButtons() {
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      const name = button.dataset.show;
      show[name] = !show[name];
      button.ariaPressed = String(show[name]);
      planVersion += 1;
    });
  }
  at("zoom-in").addEventListener("click", () => view.zoom(1.5));
  at("zoom-out").addEventListener("click", () => view.zoom(1 / 1.5));
  at("zoom-fit").addEventListener("click", fit);
}

function fit() {
  if (!floor) return;
  const [top, right, bottom, left] = EDGES;
  // On a phone the plan may slide under the floor switch: width is dearer there.
  const beside = view.width > 700 ? at("floors").offsetWidth : -left / 2;
  view.fit(boundsOf(floor), [top, right, bottom, left + beside]);
}

function resize() {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [map.clientWidth, map.clientHeight];
  const wasEmpty = view.width <= 1;
  for (const canvas of [at("plan"), at("dots")]) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  view.resize(width, height);
  if (wasEmpty) fit();
}

function floorName(id) {
  return site.floors.find((floor) => floor.id === id)?.name || id;
}

function notice(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

let lastFrame = performance.now();
let lastCard = 0;

function frame(now) {
  requestAnimationFrame(frame);
  const began = performance.now();
  view.step(began - lastFrame);
  lastFrame = began;
  if (!floor) return;
  const wanted = `${view.version} ${planVersion} ${floor.id}`;
  if (wanted !== drawnPlan) {
    drawnPlan = wanted;
    drawPlan(at("plan"), view, site, floor, show, occupancy);
    legend.show(floor, view, hasTruth && show.truth);
  }
  drawDots(
    at("dots"),
    view,
    clients,
    floor.id,
    { ...show, truth: show.truth && hasTruth },
    chosen,
    hovered,
    began,
  );
  hover(began);
  frames.count += 1;
  frames.cost_ms += performance.now() - began;
}

function hover(now) {
  hovered = pointer ? clientAt(clients, floor.id, ...pointer) : null;
  map.classList.toggle("pointing", hovered !== null);
  const card = at("hover");
  if (!hovered || hovered === chosen) {
    card.hidden = true;
    return;
  }
  const [width, height] = [252, 220];
  const x = hovered.px + 16 + width > view.width ? hovered.px - 16 - width : hovered.px + 16;
  const y = Math.max(8, Math.min(view.height - height - 8, hovered.py - 40));
  card.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  if (now - lastCard < CARD_MS && card.dataset.client === hovered.id && !card.hidden) return;
  lastCard = now;
  card.dataset.client = hovered.id;
  fillCard(card, hovered, site.floors, now);
}

/** Twice a second: what need not be smooth. */
function beat() {
  if (!site || document.hidden) return;
  const now = performance.now();
  clients.sweep(now);
  if (chosen && !clients.byId.has(chosen.id)) choose(null);
  if (chosen) fillCard(at("selected"), chosen, site.floors, now, () => choose(null));
  if (chosen && chosen.fix.floor !== floor.id) chooseFloor(chosen.fix.floor);
  floors.show(site, floor.id, clients.countByFloor());
  countZones();
  const empty = clients.byId.size === 0 && at("connection").dataset.state === "live";
  notice(empty ? "Waiting for the first fixes. Agents connect on their own once enrolled." : "");
  const seconds = (now - frames.since) / 1000;
  if (seconds > 2 && frames.count > 0) {
    const cost_ms = (frames.cost_ms / frames.count).toFixed(1);
    at("foot").textContent =
      `${Math.round(frames.count / seconds)} frames a second, ${cost_ms} ms each`;
    frames = { count: 0, cost_ms: 0, since: now };
    const count = compact(clients.countByFloor().get(floor.id) ?? 0);
    map.ariaLabel = `Floor plan of ${floor.name || floor.id} with ${count} clients`;
  }
}

function countZones() {
  const counts = new Map(floor.zones.map(({ id }) => [id, 0]));
  for (const { fix } of clients.byId.values()) {
    if (fix.floor !== floor.id) continue;
    for (const { id, area } of floor.zones)
      if (contains(area, fix.x_m, fix.y_m)) counts.set(id, counts.get(id) + 1);
  }
  const changed = floor.zones.some(({ id }) => counts.get(id) !== occupancy.get(id));
  occupancy = counts;
  if (changed) planVersion += 1;
}
