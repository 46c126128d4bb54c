// The canvas colours, read from the style sheet: one place decides how things look.

const NAMES = [
  "floor",
  "floor-edge",
  "grid",
  "blocked",
  "zone-ink",
  "ink",
  "soft",
  "wall-concrete",
  "wall-brick",
  "wall-drywall",
  "wall-wood",
  "wall-glass",
  "wall-metal",
  "dot",
  "dot-named",
  "dot-old",
  "dot-chosen",
  "halo",
  "ellipse",
  "truth",
  "anchor",
  "anchor-off",
  "good",
];

const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** Colours by name, and a number that changes with them. */
export const theme = { version: 0, dark: dark.matches };

function read() {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) theme[name] = style.getPropertyValue(`--${name}`).trim();
  theme.dark = dark.matches;
  theme.version += 1;
}

/** Reads the colours now and whenever the scheme changes. */
export function watchTheme(changed) {
  read();
  dark.addEventListener("change", () => {
    read();
    changed();
  });
}

/** How each material is drawn: its name for people, colour, and least width in pixels. */
export const MATERIALS = {
  concrete: { name: "concrete", width: 4.5 },
  brick: { name: "brick", width: 3.5 },
  drywall: { name: "drywall", width: 2 },
  wood: { name: "wood", width: 2 },
  glass: { name: "glass", width: 1.5 },
  metal: { name: "metal", width: 3 },
};
