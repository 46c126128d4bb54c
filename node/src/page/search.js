// Find a client by a part of its id.

import { element } from "./elements.js";

const FOUND_MAX = 8;

/** Wires the search field; `choose` takes a client. */
export function wireSearch(clients, floorName, choose) {
  const form = document.getElementById("search");
  const text = document.getElementById("search-text");
  const list = document.getElementById("search-list");
  let found = [];
  let at = 0;

  function look() {
    const wanted = text.value.trim().toLowerCase();
    found = [];
    if (wanted) {
      for (const client of clients().byId.values()) {
        if (client.id.toLowerCase().includes(wanted)) found.push(client);
        if (found.length === FOUND_MAX) break;
      }
    }
    at = 0;
    show();
  }

  function show() {
    list.replaceChildren(
      ...found.map((client, number) => {
        const item = element("li", {
          role: "option",
          id: `found-${number}`,
          ariaSelected: String(number === at),
        });
        item.append(client.id, element("span", { textContent: floorName(client.fix.floor) }));
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          take(client);
        });
        return item;
      }),
    );
    list.hidden = found.length === 0;
    text.setAttribute("aria-expanded", String(!list.hidden));
    if (found.length) text.setAttribute("aria-activedescendant", `found-${at}`);
    else text.removeAttribute("aria-activedescendant");
  }

  function take(client) {
    found = [];
    show();
    text.blur();
    choose(client);
  }

  text.addEventListener("input", look);
  text.addEventListener("focus", look);
  text.addEventListener("blur", () => {
    found = [];
    show();
  });
  text.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      at = (at + step + found.length) % found.length;
      show();
    }
    if (event.key === "Escape") text.blur();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (found[at]) take(found[at]);
  });
}
