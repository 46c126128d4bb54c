// The floor switch: which floor is seen, and how many clients are on each.

import { compact, element } from "./elements.js";

/** The floors, highest on top as in the building. `choose` takes a floor's id. */
export class Floors {
  constructor(choose) {
    this.home = document.getElementById("floors");
    this.choose = choose;
    this.buttons = new Map();
  }

  show(site, chosen, counts) {
    if (this.site !== site.site) this.build(site);
    for (const [id, button] of this.buttons) {
      button.ariaSelected = String(id === chosen);
      button.tabIndex = id === chosen ? 0 : -1;
      const count = counts.get(id) ?? 0;
      button.lastElementChild.textContent = compact(count);
      button.ariaLabel = `${button.firstElementChild.textContent}, ${count} clients`;
    }
  }

  build(site) {
    this.site = site.site;
    this.buttons.clear();
    for (const { id, name } of [...site.floors].reverse()) {
      const button = element("button", { type: "button", role: "tab" });
      button.append(
        element("span", { textContent: name || id }),
        element("b", { textContent: "0" }),
      );
      button.addEventListener("click", () => this.choose(id));
      this.buttons.set(id, button);
    }
    this.home.replaceChildren(...this.buttons.values());
    this.home.onkeydown = (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = [...this.buttons.keys()];
      const at = next.findIndex((id) => this.buttons.get(id).ariaSelected === "true") + step;
      if (!next[at]) return;
      this.choose(next[at]);
      this.buttons.get(next[at]).focus();
    };
  }
}
