// The figures at the top of the panel.

import { compact, element, svg } from "./elements.js";

const HISTORY_MAX = 60; // seconds that the little curve shows

/** The figures at the top of the panel. */
export class Tiles {
  constructor() {
    this.home = document.getElementById("tiles");
    this.history = [];
    this.tiles = new Map();
  }

  show({ clients, rate, latency, accuracy }) {
    if (rate !== null) this.history.push(rate);
    if (this.history.length > HISTORY_MAX) this.history.shift();
    this.tile("Clients", compact(clients), "", "seen in the last minute");
    this.tile("Fixes per second", compact(rate ?? 0), "", "").append(sparkline(this.history));
    this.tile(
      "Latency, median",
      latency.p50_ms ? latency.p50_ms.toFixed(0) : "–",
      "ms",
      `99 % within ${latency.p99_ms.toFixed(0)} ms`,
    );
    if (!accuracy) return;
    this.tile(
      "Error, median",
      accuracy.median.toFixed(1),
      "m",
      `90 % within ${accuracy.p90.toFixed(1)} m`,
    );
    this.tile("Right floor", (accuracy.floor * 100).toFixed(1), "%", "against the simulated truth");
    this.tile(
      "In the 90 % circle",
      (accuracy.within90 * 100).toFixed(0),
      "%",
      "90 is what fixes promise",
    );
  }

  tile(name, value, unit, note) {
    let tile = this.tiles.get(name);
    if (!tile) {
      tile = element("div");
      tile.append(element("dt", { textContent: name }), element("dd"));
      this.tiles.set(name, tile);
      this.home.append(tile);
    }
    const figure = tile.children[1];
    figure.replaceChildren(value, element("small", { textContent: unit }));
    if (note) figure.append(element("span", { className: "note", textContent: note }));
    tile.querySelector("svg")?.remove();
    return tile;
  }
}

function sparkline(values) {
  const most = Math.max(1, ...values);
  const first = HISTORY_MAX - values.length;
  const x = (at) => ((first + at) / (HISTORY_MAX - 1)) * 100;
  const points = values.map((value, at) => `${x(at)},${25 - (value / most) * 20}`);
  const line = svg("svg", {
    viewBox: "0 0 100 26",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  line.append(
    svg("polyline", {
      points: points.join(" "),
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.5,
      "vector-effect": "non-scaling-stroke",
    }),
  );
  return line;
}
