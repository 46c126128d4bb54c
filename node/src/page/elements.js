// Elements and numbers for people.

/** An element with properties. */
export function element(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}

/** A count for people: 1.2 k, 3.4 M. */
export function compact(count) {
  if (count < 9999.5)
    return count < 10 && !Number.isInteger(count) ? count.toFixed(1) : whole(count);
  for (const [size, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    const digits = count >= 100 * size ? 0 : count >= 10 * size ? 1 : 2;
    if (count >= size) return `${(count / size).toFixed(digits)} ${unit}`;
  }
  return whole(count);
}

/** A count with thin spaces. */
export function whole(count) {
  return Math.round(count).toLocaleString("en").replaceAll(",", "\u202f");
}

/** An SVG element with attributes. */
export function svg(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
