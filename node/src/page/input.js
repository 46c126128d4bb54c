// Mouse, touch and keyboard on the map.

const PAN_PX = 80;
const CLICK_PX = 4;

/**
 * Wires the map. `does` has: pan(dx, dy), zoom(factor, x, y), point(x, y) or point(null),
 * click(x, y), and key(name) for everything else that has a key.
 */
export function wireInput(map, does) {
  const pointers = new Map();
  let travelled = 0;

  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    travelled = 0;
    map.classList.add("dragging");
  });

  map.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      does.point(event.offsetX, event.offsetY);
      return;
    }
    const now = [event.offsetX, event.offsetY];
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) pinch(before, now, other);
    else does.pan(now[0] - before[0], now[1] - before[1]);
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    pointers.set(event.pointerId, now);
  });

  function pinch(before, now, other) {
    const spread = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
    does.zoom(spread(now) / spread(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    does.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  function release(event) {
    const wasClick = pointers.size === 1 && travelled < CLICK_PX && event.type === "pointerup";
    pointers.delete(event.pointerId);
    map.classList.toggle("dragging", pointers.size > 0);
    if (wasClick) does.click(event.offsetX, event.offsetY);
  }

  map.addEventListener("pointerup", release);
  map.addEventListener("pointercancel", release);
  map.addEventListener("pointerleave", () => does.point(null));
  map.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // Browsers count lines or pixels; either way one notch is a gentle step.
      const notches =
        event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY / 3 : event.deltaY / 100;
      does.zoom(Math.exp(-0.22 * Math.max(-3, Math.min(3, notches))), event.offsetX, event.offsetY);
    },
    { passive: false },
  );

  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const pans = {
      ArrowLeft: [PAN_PX, 0],
      ArrowRight: [-PAN_PX, 0],
      ArrowUp: [0, PAN_PX],
      ArrowDown: [0, -PAN_PX],
    };
    if (pans[event.key]) does.pan(...pans[event.key]);
    else if (event.key === "+" || event.key === "=") does.zoom(1.3);
    else if (event.key === "-") does.zoom(1 / 1.3);
    else if (!does.key(event.key)) return;
    event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      document.getElementById("search-text").focus();
    }
    if (event.key === "Escape" && !typing) does.key("Escape");
  });
}
