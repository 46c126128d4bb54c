// Which part of the plan is seen: metres to pixels and back. x to the right, y up.

const SCALE_MIN = 1.5; // pixels per metre: a campus fits
const SCALE_MAX = 400; // a hand fills the screen

/** A window onto the plan. `version` changes with every change of what is seen. */
export class View {
  constructor() {
    this.scale = 10;
    this.x = 0; // metres, at the middle of the window
    this.y = 0;
    this.width = 1;
    this.height = 1;
    this.version = 0;
    this.goal = null;
  }

  px(x) {
    return (x - this.x) * this.scale + this.width / 2;
  }
  py(y) {
    return this.height / 2 - (y - this.y) * this.scale;
  }
  metresX(px) {
    return (px - this.width / 2) / this.scale + this.x;
  }
  metresY(py) {
    return (this.height / 2 - py) / this.scale + this.y;
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
    this.version += 1;
  }

  pan(dx, dy) {
    this.goal = null;
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.version += 1;
  }

  /** Zooms so that the place under (px, py) stays where it is. */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    this.goal = null;
    const [x, y] = [this.metresX(px), this.metresY(py)];
    this.scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, this.scale * factor));
    this.x += x - this.metresX(px);
    this.y += y - this.metresY(py);
    this.version += 1;
  }

  /** Shows all of `bounds`, leaving `edges` (top, right, bottom, left) in pixels free. */
  fit(bounds, edges) {
    const [top, right, bottom, left] = edges;
    const wide = Math.max(1, bounds.x1 - bounds.x0);
    const high = Math.max(1, bounds.y1 - bounds.y0);
    const room = [
      Math.max(80, this.width - left - right),
      Math.max(80, this.height - top - bottom),
    ];
    this.goal = null;
    this.scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, Math.min(room[0] / wide, room[1] / high)));
    this.x = (bounds.x0 + bounds.x1) / 2 - (left - right) / 2 / this.scale;
    this.y = (bounds.y0 + bounds.y1) / 2 + (top - bottom) / 2 / this.scale;
    this.version += 1;
  }

  /** Glides until (x, y) is in the middle. */
  glideTo(x, y) {
    this.goal = { x, y };
  }

  /** One step of a glide. */
  step(elapsed_ms) {
    if (!this.goal) return;
    const share = 1 - Math.exp(-elapsed_ms / 120);
    this.x += (this.goal.x - this.x) * share;
    this.y += (this.goal.y - this.y) * share;
    this.version += 1;
    if (Math.hypot(this.goal.x - this.x, this.goal.y - this.y) * this.scale < 0.5) this.goal = null;
  }
}
