// Live streams of the node: server-sent events that come back when the node went away.

const RETRY_MS = [500, 1000, 2000, 4000];
const ANSWER_MS_MAX = 10000;

/**
 * Follows `url`. `handlers` has a function per event name; `changed` learns "connecting", "live"
 * and "reconnecting". Returns a function that ends it.
 */
export function follow(url, handlers, changed = () => {}) {
  let source = null;
  let timer = 0;
  let failures = 0;
  let ended = false;

  function open() {
    source = new EventSource(url);
    source.onopen = () => {
      failures = 0;
      changed("live");
    };
    source.onerror = () => {
      // A browser gives up after some errors and waits long after others: we decide ourselves.
      source.close();
      changed("reconnecting");
      timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
      failures += 1;
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }

  changed("connecting");
  open();
  return () => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}

/** Asks for `url` every `interval_ms` while the page is seen. Returns a function that ends it. */
export function poll(url, interval_ms, handle) {
  let timer = 0;
  let ended = false;

  async function ask() {
    if (!document.hidden) {
      try {
        const answer = await fetch(url, {
          cache: "no-cache",
          signal: AbortSignal.timeout(ANSWER_MS_MAX),
        });
        if (answer.ok && !ended) handle(await answer.json());
      } catch {
        // The connection pill tells: the stream notices at the same time.
      }
    }
    if (!ended) timer = setTimeout(ask, interval_ms);
  }

  ask();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
