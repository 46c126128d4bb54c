// Clients as the page knows them: their last fix, how they glide to it, and how far it was off.

const HIDDEN_MS = 60000; // a client unseen for a minute leaves the map
const OLD_MS = 8000; // and is pale before that
const TRAIL_MAX = 60;
const TRUTH_MAX = 40; // 8 s at five a second: a fix is compared with the truth at its own time
const SIGMAS_50 = Math.sqrt(2 * Math.log(2)); // of a Gaussian in the plane
const SIGMAS_90 = Math.sqrt(2 * Math.log(10));

/** All clients of a site. */
export class Clients {
  constructor() {
    this.byId = new Map();
    this.truthById = new Map();
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.fixes = 0;
  }

  /** Takes fixes of the stream. */
  take(fixes, now) {
    for (const fix of fixes) {
      let client = this.byId.get(fix.client);
      if (!client) {
        client = newClient(fix);
        this.byId.set(fix.client, client);
      }
      this.move(client, fix, now);
    }
    this.fixes += fixes.length;
  }

  move(client, fix, now) {
    const jumped = client.fix && (client.fix.floor !== fix.floor || fix.flags.includes("teleport"));
    const first = client.fix === null;
    const [x, y] =
      first || jumped || this.still.matches ? [fix.x_m, fix.y_m] : placeAt(client, now);
    // Glide for as long as the next fix will probably take, so that motion never stops and starts.
    const gap = now - client.at;
    if (!first && gap > 50) client.gap += (Math.min(gap, 3000) - client.gap) * 0.3;
    Object.assign(client, {
      fix,
      fromX: x,
      fromY: y,
      x: fix.x_m,
      y: fix.y_m,
      at: now,
      seen: now - fix.age_ms,
    });
    Object.assign(client, ellipse(fix.error.cov_m2));
    client.trail.push(fix.x_m, fix.y_m);
    if (jumped) client.trail = [fix.x_m, fix.y_m];
    if (client.trail.length > 2 * TRAIL_MAX) client.trail.splice(0, 2);
    this.compare(client);
  }

  /** Takes the true places of a simulated world. */
  takeTruth({ time, truth }) {
    const at = Date.parse(time);
    for (const { client, x_m, y_m, floor } of truth) {
      let known = this.truthById.get(client);
      if (!known) {
        known = { past: [], x: x_m, y: y_m, fromX: x_m, fromY: y_m, at: 0, floor };
        this.truthById.set(client, known);
      }
      const now = performance.now();
      const [fromX, fromY] = known.floor === floor ? truthPlaceAt(known, now) : [x_m, y_m];
      Object.assign(known, { fromX, fromY, x: x_m, y: y_m, at: now, floor });
      known.past.push({ at, x: x_m, y: y_m, floor });
      if (known.past.length > TRUTH_MAX) known.past.shift();
    }
  }

  /** How far the newest fix was from the truth at the time that the fix is about. */
  compare(client) {
    const past = this.truthById.get(client.fix.client)?.past;
    if (!past?.length) return;
    const at = Date.parse(client.fix.time);
    const after = past.findIndex((place) => place.at >= at);
    if (after === 0 && past[0].at - at > 500) return;
    const b = past[after < 0 ? past.length - 1 : after];
    const a = past[Math.max(0, (after < 0 ? past.length : after) - 1)];
    const share = b.at > a.at ? Math.min(1, Math.max(0, (at - a.at) / (b.at - a.at))) : 1;
    const [x, y] = [a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share];
    client.off_m = Math.hypot(client.fix.x_m - x, client.fix.y_m - y);
    client.rightFloor = b.floor === client.fix.floor || a.floor === client.fix.floor;
  }

  /** Forgets clients that were not seen for long. */
  sweep(now) {
    for (const [id, client] of this.byId) {
      if (now - client.seen > HIDDEN_MS) this.byId.delete(id);
    }
  }

  /** Clients per floor, by id. */
  countByFloor() {
    const counts = new Map();
    for (const { fix } of this.byId.values())
      counts.set(fix.floor, (counts.get(fix.floor) ?? 0) + 1);
    return counts;
  }

  /** Error figures over all clients with a known truth, or null. */
  accuracy() {
    const known = [...this.byId.values()].filter((client) => client.off_m !== null);
    if (!known.length) return null;
    const off = known.map((client) => client.off_m).sort((a, b) => a - b);
    const share = (holds) => known.filter(holds).length / known.length;
    return {
      median: off[Math.floor(off.length / 2)],
      p90: off[Math.floor(off.length * 0.9)],
      within90: share((client) => client.off_m <= client.fix.error.r90_m),
      floor: share((client) => client.rightFloor),
    };
  }
}

function newClient(fix) {
  return {
    id: fix.client,
    named: !/^[0-9a-f]{16}$/.test(fix.client),
    fix: null,
    gap: 1000,
    at: 0,
    trail: [],
    off_m: null,
    rightFloor: true,
  };
}

function between(from, to, share) {
  return from + (to - from) * share;
}

/** Where a client is drawn now: between its last two fixes. */
export function placeAt(client, now) {
  const share = Math.min(1, (now - client.at) / client.gap);
  return [between(client.fromX, client.x, share), between(client.fromY, client.y, share)];
}

/** Where a true place is drawn now. */
export function truthPlaceAt(truth, now) {
  const share = Math.min(1, (now - truth.at) / 200);
  return [between(truth.fromX, truth.x, share), between(truth.fromY, truth.y, share)];
}

/** Whether a client has not been heard for a while. */
export function isOld(client, now) {
  return now - client.seen > OLD_MS;
}

/** Half axes in metres that hold the truth in 50 % and 90 % of cases; angle of the longer one. */
function ellipse([[xx, xy], [, yy]]) {
  const mean = (xx + yy) / 2;
  const apart = Math.hypot((xx - yy) / 2, xy);
  const long = Math.sqrt(Math.max(0, mean + apart));
  const short = Math.sqrt(Math.max(0, mean - apart));
  return {
    long50: long * SIGMAS_50,
    short50: short * SIGMAS_50,
    long90: long * SIGMAS_90,
    short90: short * SIGMAS_90,
    angle: Math.atan2(2 * xy, xx - yy) / 2,
  };
}
