// The ledger as a flow: from offered to folded, and what left on the way.

import { compact, element, whole } from "./elements.js";

// Key in the API, name, whether it is a stop of the flow, explanation.
const STEPS = [
  ["offered", "Offered", true, "what agents had to send"],
  ["dropped_at_agent", "dropped at agent", false, "agents discarded it, for a reason"],
  ["lost", "lost", false, "the network lost it: gaps in the numbers"],
  ["unknown", "unknown", false, "a crash of either end hides it"],
  ["received", "Received", true, "what reached the node"],
  ["dropped_at_node", "dropped at node", false, "the node discarded it, for a reason"],
  ["folded", "Folded", true, "what changed a client's window and became fixes"],
];

/** Shows a site's books; keeps the last ones for rates. */
export class Ledger {
  constructor() {
    this.flow = document.getElementById("flow");
    this.chip = document.getElementById("residual");
    this.last = null;
  }

  show(books, time) {
    const seconds = this.last ? (Date.parse(time) - Date.parse(this.last.time)) / 1000 : 0;
    const rows = [];
    for (const [key, name, isStop, title] of STEPS) {
      const count = books[key].observations;
      const before = this.last?.books[key].observations ?? count;
      const rate = seconds > 0 ? Math.max(0, count - before) / seconds : 0;
      const beside = isStop ? `${compact(rate)}/s` : share(count, books.offered.observations);
      rows.push(
        row(isStop ? "stop" : count > 0 ? "leaf some" : "leaf", name, count, beside, title),
      );
      for (const [reason, amount] of reasons(books[key])) {
        rows.push(row("reason", reason.replaceAll("_", " "), amount, ""));
      }
    }
    this.flow.replaceChildren(...rows);
    this.showResidual(books.residual, books.offered.observations);
    this.last = { books, time };
  }

  showResidual(residual, offered) {
    const closes = residual === 0;
    const much = residual > 0.05 * offered;
    this.chip.className = `chip ${closes ? "good" : much ? "warn" : ""}`;
    this.chip.textContent = closes ? "books close" : `${compact(residual)} under way`;
    this.chip.title = `residual ${whole(residual)}: what no other entry explains; 0 at rest`;
  }
}

/** Reasons that occurred, the largest first. */
function reasons(entry) {
  const counts = Object.entries(entry.by_reason ?? {}).map(([reason, amount]) => [
    reason,
    amount.observations ?? amount,
  ]);
  return counts
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 5);
}

function share(count, offered) {
  const part = count / Math.max(1, offered);
  if (part === 0) return "";
  return part < 0.0001 ? "< 0.01 %" : `${(part * 100).toFixed(part < 0.01 ? 2 : 1)} %`;
}

function row(kind, name, count, beside, title = "") {
  const item = element("li", { className: kind, title });
  const amount = element("span", { textContent: compact(count), title: whole(count) });
  item.append(
    element("span", { textContent: name }),
    amount,
    element("span", { className: "rate", textContent: beside }),
  );
  return item;
}

/** Shows the access points of a site with what is known of their agents. */
export function showAccessPoints(anchors, agents) {
  const byName = new Map(agents.map((agent) => [agent.agent, agent]));
  const rows = anchors.map((anchor) => {
    const agent = byName.get(anchor.agent);
    const online = agent?.connected ?? false;
    const item = element("li", { className: online ? "" : "off" });
    const bands = anchor.radios.map((radio) => radio.band).join(" · ");
    const about = `floor ${anchor.floor}, agent ${anchor.agent}, ${bands}`;
    const name = element("b", { textContent: anchor.id, title: about });
    item.append(
      element("i", { ariaHidden: "true" }),
      name,
      element("span", { textContent: health(agent) }),
    );
    return [online, item];
  });
  // What needs a look comes first.
  rows.sort(([a], [b]) => a - b);
  document.getElementById("aps").replaceChildren(...rows.map(([, item]) => item));
  const online = rows.filter(([isOnline]) => isOnline).length;
  const chip = document.getElementById("aps-count");
  chip.textContent = `${online} of ${rows.length} online`;
  chip.className = `chip ${online === rows.length ? "good" : "warn"}`;
}

function health(agent) {
  if (!agent) return "never seen";
  if (!agent.connected) return `silent for ${age(agent.last_heard_s)}`;
  const loss = lossOf(agent.books);
  return agent.rtt_ms > 0 ? `${agent.rtt_ms.toFixed(1)} ms · ${loss}` : loss;
}

function lossOf({ lost, offered }) {
  const part = lost.observations / Math.max(1, offered.observations);
  return part === 0 ? "no loss" : `${(part * 100).toFixed(part < 0.001 ? 3 : 2)} % lost`;
}

function age(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
