// What the lines and dots mean, and how long a metre is.

import { element, svg } from "./elements.js";
import { strokeMaterial } from "./plan.js";
import { MATERIALS, theme } from "./theme.js";

/** Materials of this site, what the dots mean, and a scale bar. */
export class Legend {
  constructor() {
    this.home = document.getElementById("legend");
  }

  show(floor, view, hasTruth) {
    const used = Object.keys(MATERIALS).filter((material) =>
      floor.walls.some((wall) => wall.material === material),
    );
    const entries = used.map((material) => entry(wallSample(material), MATERIALS[material].name));
    entries.push(entry(dotSample(theme.dot), "client"));
    if (hasTruth) entries.push(entry(ringSample(theme.truth), "true place"));
    this.home.replaceChildren(scaleBar(view), ...entries);
  }
}

function entry(sample, text) {
  const span = element("span");
  span.append(sample, text);
  return span;
}

function wallSample(material) {
  const canvas = element("canvas", { width: 52, height: 20, ariaHidden: "true" });
  canvas.style.width = "26px";
  canvas.style.height = "10px";
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  context.beginPath();
  context.moveTo(1, 5);
  context.lineTo(25, 5);
  strokeMaterial(context, material, MATERIALS[material].width);
  return canvas;
}

function dotSample(colour) {
  const sample = svg("svg", { width: 10, height: 10, "aria-hidden": "true" });
  sample.append(svg("circle", { cx: 5, cy: 5, r: 4, fill: colour }));
  return sample;
}

function ringSample(colour) {
  const sample = svg("svg", { width: 22, height: 10, "aria-hidden": "true" });
  sample.append(svg("circle", { cx: 4, cy: 5, r: 3, fill: "none", stroke: colour }));
  sample.append(svg("path", { d: "M7 5h14", stroke: colour }));
  return sample;
}

function scaleBar(view) {
  const metres = [0.5, 1, 2, 5, 10, 20, 50, 100].find((metres) => metres * view.scale >= 60) ?? 200;
  const width = metres * view.scale;
  const bar = svg("svg", { width: width + 2, height: 9, "aria-hidden": "true" });
  bar.append(
    svg("path", {
      d: `M1 1v6h${width}v-6`,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.5,
    }),
  );
  const span = entry(bar, `${metres} m`);
  span.className = "scale";
  return span;
}
