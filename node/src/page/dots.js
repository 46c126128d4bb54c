// The moving part: clients, their error ellipses, true places. Drawn every frame, in few calls.

import { isOld, placeAt, truthPlaceAt } from "./clients.js";
import { theme } from "./theme.js";

const WIDE_ELLIPSES_MAX = 60; // more 90 % ellipses on one floor are a smear: then 50 % ones are drawn
const ELLIPSES_MAX = 400; // and beyond this only the chosen client's
const TAU = 2 * Math.PI;
const FLOOR_SURE = 0.6; // below this the floor is a guess, and the dot a ring

let sprites = {};
let spritesFor = "";

/** Draws the clients of `floor`. `chosen` and `hovered` are clients or null. */
export function drawDots(canvas, view, clients, floor, show, chosen, hovered, now) {
  const context = canvas.getContext("2d");
  const ratio = canvas.width / view.width;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  const here = place(clients, view, floor, now);
  prepareSprites(ratio, view.scale, here.length);
  if (show.truth) drawTruth(context, view, clients, floor, here, now);
  if (show.ellipses && here.length <= ELLIPSES_MAX) drawThinEllipses(context, view, here);
  for (const client of [hovered, chosen]) {
    if (client?.fix.floor === floor) drawEllipse(context, view, client, client === chosen);
  }
  if (chosen?.fix.floor === floor) drawTrail(context, view, chosen);
  for (const client of here) stamp(context, client, spriteFor(client, chosen, hovered, now));
  nameNamed(context, here);
  return here.length;
}

/** Clients of this floor with their pixel places. */
function place(clients, view, floor, now) {
  const here = [];
  for (const client of clients.byId.values()) {
    if (client.fix.floor !== floor) continue;
    const [x, y] = placeAt(client, now);
    client.px = view.px(x);
    client.py = view.py(y);
    const across = client.px > -40 && client.px < view.width + 40;
    const down = client.py > -40 && client.py < view.height + 40;
    if (across && down) here.push(client);
  }
  return here;
}

/** The client nearest to a pixel, within reach. */
export function clientAt(clients, floor, px, py, reach = 14) {
  let [best, nearest] = [null, reach * reach];
  for (const client of clients.byId.values()) {
    if (client.fix.floor !== floor || client.px === undefined) continue;
    const distance = (client.px - px) ** 2 + (client.py - py) ** 2;
    if (distance < nearest) [best, nearest] = [client, distance];
  }
  return best;
}

function prepareSprites(ratio, scale, count) {
  const crowd = count > 2000 ? 2.6 : count > 600 ? 3.4 : 4.4;
  const radius = Math.round(Math.max(2, Math.min(crowd, crowd * Math.sqrt(scale / 9))) * 4) / 4;
  const wanted = `${theme.version} ${ratio} ${radius}`;
  if (wanted === spritesFor) return;
  spritesFor = wanted;
  sprites = {
    fresh: sprite(ratio, radius, theme.dot),
    named: sprite(ratio, radius * 1.15, theme["dot-named"]),
    old: sprite(ratio, radius * 0.85, theme["dot-old"]),
    guess: sprite(ratio, radius, theme.dot, true),
    hovered: sprite(ratio, radius * 1.5, theme.dot),
    chosen: sprite(ratio, radius * 1.6, theme["dot-chosen"]),
  };
}

/** A dot with a halo, drawn once and stamped often. */
function sprite(ratio, radius, colour, hollow = false) {
  const half = Math.ceil(radius + 3);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(2 * half * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.beginPath();
  context.arc(half, half, radius + 1.2, 0, TAU);
  context.fillStyle = theme.halo;
  context.fill();
  context.beginPath();
  context.arc(half, half, hollow ? radius - 0.8 : radius, 0, TAU);
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = 1.6;
  if (hollow) context.stroke();
  else context.fill();
  return { canvas, half, size: canvas.width / ratio };
}

function spriteFor(client, chosen, hovered, now) {
  if (client === chosen) return sprites.chosen;
  if (client === hovered) return sprites.hovered;
  if (isOld(client, now)) return sprites.old;
  if (client.fix.floor_probability < FLOOR_SURE) return sprites.guess;
  return client.named ? sprites.named : sprites.fresh;
}

function stamp(context, client, { canvas, half, size }) {
  context.drawImage(canvas, client.px - half, client.py - half, size, size);
}

function traceEllipse(context, view, client, long, short) {
  // y points up in the plan and down on the screen, hence the minus.
  const angle = -client.angle;
  const [a, b] = [long * view.scale, short * view.scale];
  context.moveTo(client.px + a * Math.cos(angle), client.py + a * Math.sin(angle));
  context.ellipse(client.px, client.py, a, b, angle, 0, TAU);
}

function drawThinEllipses(context, view, here) {
  context.beginPath();
  const wide = here.length <= WIDE_ELLIPSES_MAX;
  for (const client of here) {
    const [long, short] = wide
      ? [client.long90, client.short90]
      : [client.long50, client.short50];
    traceEllipse(context, view, client, long, short);
  }
  context.strokeStyle = theme.ellipse;
  context.lineWidth = 1;
  context.stroke();
}

function drawEllipse(context, view, client, strong) {
  if (client.px === undefined) return;
  const colour = strong ? theme["dot-chosen"] : theme.dot;
  context.strokeStyle = context.fillStyle = colour;
  for (const [long, short, alpha] of [
    [client.long90, client.short90, 0.1],
    [client.long50, client.short50, 0.16],
  ]) {
    context.beginPath();
    traceEllipse(context, view, client, long, short);
    context.globalAlpha = alpha;
    context.fill();
    context.globalAlpha = 0.8;
    context.lineWidth = 1.25;
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawTrail(context, view, { trail, px, py }) {
  context.strokeStyle = theme["dot-chosen"];
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.beginPath();
  // The last pair is where the dot is gliding to: the line ends at the dot instead.
  for (let i = 0; i + 3 < trail.length; i += 2)
    context.lineTo(view.px(trail[i]), view.py(trail[i + 1]));
  context.lineTo(px, py);
  context.globalAlpha = 0.5;
  context.stroke();
  context.globalAlpha = 1;
}

function drawTruth(context, view, clients, floor, here, now) {
  const radius = here.length > 600 ? 1.8 : 2.8;
  context.beginPath();
  for (const client of here) {
    const truth = clients.truthById.get(client.id);
    if (!truth || truth.floor !== floor) continue;
    const [x, y] = truthPlaceAt(truth, now);
    const [px, py] = [view.px(x), view.py(y)];
    context.moveTo(client.px, client.py);
    context.lineTo(px, py);
    context.moveTo(px + radius, py);
    context.arc(px, py, radius, 0, TAU);
  }
  context.strokeStyle = theme.truth;
  context.lineWidth = 1;
  context.globalAlpha = here.length > 300 ? 0.6 : 1;
  context.stroke();
  context.globalAlpha = 1;
}

function nameNamed(context, here) {
  const named = here.filter((client) => client.named);
  if (named.length > 80) return;
  context.font = "550 11px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = theme.halo;
  context.fillStyle = theme["dot-named"];
  for (const { id, px, py } of named) {
    context.strokeText(id, px + 8, py);
    context.fillText(id, px + 8, py);
  }
}
