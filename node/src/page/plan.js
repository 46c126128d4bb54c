// The floor plan: drawn only when it or the view changes.

import { MATERIALS, theme } from "./theme.js";

const LABEL = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Draws one floor of `site`; `occupancy` is the number of clients by zone. */
export function drawPlan(canvas, view, site, floor, show, occupancy) {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const ratio = canvas.width / view.width;
  context.scale(ratio, ratio);
  drawGround(context, view, floor);
  if (show.zones) floor.zones.forEach((zone, number) => drawZone(context, view, zone, number));
  drawBlocked(context, view, floor);
  drawWalls(context, view, floor);
  drawStairs(context, view, site, floor);
  if (show.zones) {
    for (const zone of floor.zones) labelZone(context, view, zone, occupancy.get(zone.id) ?? 0);
  }
  if (!show.anchors) return;
  const here = site.anchors.filter((anchor) => anchor.floor === floor.id);
  for (const anchor of here) drawAnchor(context, view, anchor);
}

function trace(context, view, corners) {
  corners.forEach(([x, y], number) => {
    if (number === 0) context.moveTo(view.px(x), view.py(y));
    else context.lineTo(view.px(x), view.py(y));
  });
  context.closePath();
}

function drawGround(context, view, floor) {
  context.save();
  context.beginPath();
  trace(context, view, floor.outline);
  context.shadowColor = theme.dark ? "#000b" : "#10283226";
  context.shadowBlur = 36;
  context.shadowOffsetY = 10;
  context.fillStyle = theme.floor;
  context.fill();
  context.restore();

  // A grid of five metres gives the eye a scale.
  context.save();
  context.beginPath();
  trace(context, view, floor.outline);
  context.clip();
  context.beginPath();
  const step = view.scale < 4 ? 20 : 5;
  for (let x = Math.ceil(view.metresX(0) / step) * step; view.px(x) < view.width; x += step) {
    context.moveTo(Math.round(view.px(x)) + 0.5, 0);
    context.lineTo(Math.round(view.px(x)) + 0.5, view.height);
  }
  for (let y = Math.ceil(view.metresY(view.height) / step) * step; view.py(y) > 0; y += step) {
    context.moveTo(0, Math.round(view.py(y)) + 0.5);
    context.lineTo(view.width, Math.round(view.py(y)) + 0.5);
  }
  context.strokeStyle = theme.grid;
  context.lineWidth = 1;
  context.stroke();
  context.restore();

  context.beginPath();
  trace(context, view, floor.outline);
  context.strokeStyle = theme["floor-edge"];
  context.lineWidth = 1.5;
  context.stroke();
}

function drawZone(context, view, zone, number) {
  context.beginPath();
  trace(context, view, zone.area);
  // The golden angle keeps neighbours apart in hue.
  const hue = Math.round((168 + number * 137.5) % 360);
  context.fillStyle = theme.dark ? `hsl(${hue} 60% 62% / .09)` : `hsl(${hue} 55% 48% / .075)`;
  context.fill();
}

/** Name and count in the zone's upper left corner, as architects do: its middle is for dots. */
function labelZone(context, view, zone, count) {
  const [xs, ys] = [zone.area.map(([x]) => x), zone.area.map(([, y]) => y)];
  const size = Math.max(10, Math.min(13.5, view.scale * 0.7));
  const [wide, high] = [extent(xs) * view.scale, extent(ys) * view.scale];
  let [x, y] = [view.px(Math.min(...xs)) + size * 0.8, view.py(Math.max(...ys)) + size * 0.9];
  if (!contains(zone.area, view.metresX(x), view.metresY(y + size / 2))) {
    [x, y] = [view.px(zone.area[0][0]), view.py(zone.area[0][1])];
  }
  context.font = `600 ${size}px ${LABEL}`;
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillStyle = theme["zone-ink"];
  const nameWidth = context.measureText(zone.name).width;
  if (nameWidth + size > wide || size * 2 > high) return;
  context.fillText(zone.name, x, y);
  context.font = `400 ${size}px ${LABEL}`;
  context.globalAlpha = 0.75;
  const beside = nameWidth + size * 3.2 < wide;
  if (count > 0 && beside) context.fillText(count, x + nameWidth + size * 0.55, y);
  context.globalAlpha = 1;
}

function extent(values) {
  return Math.max(...values) - Math.min(...values);
}

function drawBlocked(context, view, floor) {
  if (!floor.blocked.length) return;
  context.save();
  context.beginPath();
  for (const area of floor.blocked) trace(context, view, area);
  context.fillStyle = theme.grid;
  context.fill();
  context.strokeStyle = theme.blocked;
  context.lineWidth = 1;
  context.stroke();
  context.clip();
  context.beginPath();
  for (let x = -view.height; x < view.width; x += 7) {
    context.moveTo(x, view.height);
    context.lineTo(x + view.height, 0);
  }
  context.stroke();
  context.restore();
}

function drawWalls(context, view, floor) {
  const bundles = new Map();
  for (const wall of floor.walls) {
    const key = `${wall.material} ${wall.thickness_m}`;
    if (!bundles.has(key)) bundles.set(key, []);
    bundles.get(key).push(wall);
  }
  for (const walls of bundles.values()) {
    const { material, thickness_m } = walls[0];
    const width = Math.max(
      thickness_m * view.scale,
      MATERIALS[material].width * Math.min(1, view.scale / 8),
    );
    // Square ends close the corners of walls; a rack is as long as it says.
    context.lineCap = thickness_m > 0.4 ? "butt" : "square";
    context.beginPath();
    for (const { from, to } of walls) {
      context.moveTo(view.px(from[0]), view.py(from[1]));
      context.lineTo(view.px(to[0]), view.py(to[1]));
    }
    strokeMaterial(context, material, width);
  }
  context.lineCap = "butt";
}

/** Strokes the path as a wall: glass is two panes, metal is riveted. */
export function strokeMaterial(context, material, width) {
  context.strokeStyle = theme[`wall-${material}`];
  context.lineWidth = material === "glass" ? Math.max(width, 3.5) : width;
  context.stroke();
  if (material === "glass") {
    context.strokeStyle = theme.floor;
    context.lineWidth = Math.max(width, 3.5) - 2;
    context.stroke();
  }
  if (material === "metal") {
    context.setLineDash([1, 6]);
    context.strokeStyle = theme.floor;
    context.lineWidth = Math.min(2, Math.max(1, width / 3));
    context.stroke();
    context.setLineDash([]);
  }
}

function drawStairs(context, view, site, floor) {
  for (const stairs of site.stairs) {
    if (!stairs.floors.includes(floor.id)) continue;
    const size = Math.max(14, Math.min(26, view.scale * 1.4));
    const [x, y] = [view.px(stairs.x_m) - size / 2, view.py(stairs.y_m) - size / 2];
    context.beginPath();
    context.roundRect(x, y, size, size, size / 5);
    context.fillStyle = theme.floor;
    context.globalAlpha = 0.85;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = theme.soft;
    context.lineWidth = 1.25;
    context.stroke();
    context.beginPath();
    const unit = size / 5;
    context.moveTo(x + unit, y + 4 * unit);
    for (let step = 1; step <= 3; step += 1) {
      context.lineTo(x + step * unit, y + (4.5 - step) * unit);
      context.lineTo(x + (step + 1) * unit, y + (4.5 - step) * unit);
    }
    context.stroke();
  }
}

function drawAnchor(context, view, anchor) {
  const [x, y] = [view.px(anchor.x_m), view.py(anchor.y_m)];
  const size = Math.max(5, Math.min(9, view.scale * 0.5));
  const colour = anchor.online ? theme.anchor : theme["anchor-off"];
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.6;
  context.globalAlpha = anchor.online ? 0.85 : 1;
  context.beginPath();
  context.arc(x, y, size * 0.32, 0, 2 * Math.PI);
  context.fill();
  for (const radius of [0.75, 1.2]) {
    context.beginPath();
    context.arc(x, y, size * radius, -Math.PI * 0.78, -Math.PI * 0.22);
    context.stroke();
  }
  if (!anchor.online) {
    context.beginPath();
    context.moveTo(x - size, y + size * 0.6);
    context.lineTo(x + size, y - size * 1.2);
    context.stroke();
  }
  if (view.scale > 11) {
    context.font = `500 10.5px ${LABEL}`;
    context.textAlign = "center";
    context.textBaseline = "top";
    context.lineWidth = 3;
    context.strokeStyle = theme.floor;
    context.strokeText(anchor.id, x, y + size * 0.8);
    context.fillText(anchor.id, x, y + size * 0.8);
  }
  context.globalAlpha = 1;
}

/** Corners of the rectangle around a floor. */
export function boundsOf(floor) {
  const [xs, ys] = [floor.outline.map(([x]) => x), floor.outline.map(([, y]) => y)];
  return { x0: Math.min(...xs), x1: Math.max(...xs), y0: Math.min(...ys), y1: Math.max(...ys) };
}

/** Whether (x, y) is inside a polygon: crossings of a ray to the right are odd. */
export function contains(corners, x, y) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i, i += 1) {
    const [[ax, ay], [bx, by]] = [corners[i], corners[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
