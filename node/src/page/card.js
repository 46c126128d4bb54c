// What a fix says, as a small card.

import { element } from "./elements.js";

/** Fills a card with what a fix says. */
export function fillCard(card, client, floors, now, close) {
  const { fix } = client;
  const floor = floors.find(({ id }) => id === fix.floor)?.name || fix.floor;
  const rows = [
    ["floor", `${floor} (${(fix.floor_probability * 100).toFixed(0)} %)`],
    ["place", `${fix.x_m.toFixed(1)}, ${fix.y_m.toFixed(1)}, ${fix.z_m.toFixed(1)} m`],
    ["error 50 %", `${fix.error.r50_m.toFixed(1)} m`],
    ["error 90 %", `${fix.error.r90_m.toFixed(1)} m`],
    ["radios", `${fix.radios}`],
    ["observations", `${fix.observations}`],
    ["age", `${((now - client.seen) / 1000).toFixed(1)} s`],
  ];
  if (client.off_m !== null) rows.push(["truly off by", `${client.off_m.toFixed(1)} m`]);
  if (fix.flags.length) rows.push(["careful", fix.flags.join(", ")]);
  const list = element("dl");
  for (const [name, value] of rows)
    list.append(element("dt", { textContent: name }), element("dd", { textContent: value }));
  const parts = [element("h3", { textContent: client.id }), list];
  if (close) {
    const button = element("button", {
      type: "button",
      textContent: "×",
      ariaLabel: "End the selection",
    });
    button.addEventListener("click", close);
    parts.push(button);
  }
  card.replaceChildren(...parts);
  card.hidden = false;
}
