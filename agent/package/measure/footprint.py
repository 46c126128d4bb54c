"""Measures what the agent takes of its machine; see `footprint` beside this folder."""

import subprocess
import sys
import time
from pathlib import Path

import bench

RESTART_EVERY_S = 60
# Processor time is taken in windows of so long. On a shared machine each of them is too high by what
# others leave of the caches; the lower quartile is the least that a few windows agree on.
WINDOW_S = 5


class Use:
    """What a process has used so far, as the kernel counts it."""

    def __init__(self, process):
        self.at = time.monotonic()
        folder = Path("/proc") / str(process.pid)
        # Nanoseconds on a processor; utime and stime count in ticks of 10 ms.
        self.cpu_ms = cpu_ms(process)
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        self.rss_kib, self.anon_kib = (int(lines[key].split()[0]) for key in ("VmRSS", "RssAnon"))
        self.threads = int(lines["Threads"])


class Yardstick:
    """A fixed piece of work beside the agent; see yardstick.py."""

    def __init__(self, stand):
        program = Path(__file__).with_name("yardstick.py")
        self.process = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
        stand.running.append(self.process)
        self.at_best_ms = float(self.process.stdout.readline())


def cpu_ms(process):
    tasks = (Path("/proc") / str(process.pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


class Windows:
    """Processor time of some processes, window by window."""

    def __init__(self, *processes):
        self.processes, self.seconds = processes, 0
        self.rows = [self.now()]

    def now(self):
        return [time.monotonic(), *map(cpu_ms, self.processes)]

    def each_second(self):
        self.seconds += 1
        if self.seconds % WINDOW_S == 0:
            self.rows.append(self.now())

    def lower_quartiles(self):
        """Milliseconds per second of each process."""
        pairs = list(zip(self.rows, self.rows[1:]))

        def of(which):
            return sorted((b[which] - a[which]) / (b[0] - a[0]) for a, b in pairs)

        return [of(which + 1)[len(pairs) // 4] for which in range(len(self.processes))]


def steady(stand, program, yardstick, rate, seconds):
    """One row: an agent of its own at this rate."""
    process, _ = stand.start_agent(program)
    hear(stand, rate, 2)  # warm
    before = Use(process)
    windows = Windows(process, yardstick.process)
    sent, _ = hear(stand, rate, seconds, windows.each_second)
    after = Use(process)
    books = stand.stop_agent(process)
    passed_s = after.at - before.at
    mean = (after.cpu_ms - before.cpu_ms) / passed_s
    quartile, yardstick_ms = windows.lower_quartiles()
    given = sent / passed_s
    per_thousand = f"{quartile / given * 1000:.2f}" if sent else "idle"
    print(
        f"| {rate:,} | {given:,.0f} | {after.rss_kib:,} | {after.anon_kib:,} "
        f"| {mean:.2f} | {quartile:.2f} | {per_thousand} | {yardstick_ms / yardstick.at_best_ms:.1f} "
        f"| {after.threads} | {bench.dropped(books)} + {bench.lost(books)} | {books['residual']} |",
        flush=True,
    )


def hear(stand, rate, seconds, each_second=lambda: None):
    if rate == 0:
        for _ in range(seconds):
            time.sleep(1)
            each_second()
        return 0, seconds
    return stand.hostapd.send(rate, seconds, each_second)


def soak(stand, program, rate, seconds):
    """Growth over a long run in which the node is killed and comes back every minute."""
    process, _ = stand.start_agent(program)
    hear(stand, rate, 10)
    first = Use(process)
    most, restarts, passed, warm = first.rss_kib, 0, 0, None

    def look():
        nonlocal most, restarts, passed, warm
        passed += 1
        most = max(most, Use(process).rss_kib)
        # The first connection anew takes memory that stays; after that there should be no growth.
        if passed == RESTART_EVERY_S + 5:
            warm = Use(process)
        if passed % RESTART_EVERY_S == RESTART_EVERY_S - 10:
            stand.kill_node()
        if passed % RESTART_EVERY_S == RESTART_EVERY_S - 5:
            stand.start_node()
            restarts += 1

    sent, took_s = hear(stand, rate, seconds, look)
    last = Use(process)
    if stand.node.poll() is not None:
        stand.start_node()
    deadline = time.monotonic() + 60
    while not stand.is_connected() and time.monotonic() < deadline:
        time.sleep(0.1)
    books = stand.stop_agent(process)
    print(
        f"\nSoak of {took_s:.0f} s at {sent / took_s:,.0f} observations/s, node killed and restarted "
        f"{restarts} times: RSS {first.rss_kib:,} KiB after 10 s, {last.rss_kib:,} KiB at the end, at most "
        f"{most:,} KiB (growth {most - first.rss_kib} KiB"
        + (f", of it {last.rss_kib - warm.rss_kib} KiB from the first restart to the end" if warm else "")
        + f"); threads {last.threads}; CPU "
        f"{(last.cpu_ms - first.cpu_ms) / sent * 1000:.2f} ms per 1,000; last session's residual "
        f"{books['residual']}."
    )


def table(stand, program, seconds, apart):
    yardstick = Yardstick(stand)
    print(
        "| observations/s wanted | given | RSS, KiB | of it anonymous | CPU, ms per s: mean | lower quartile "
        "| the same per 1,000 | yardstick | threads | dropped + lost | residual |\n"
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    for rate in (0, 1_000, 10_000):
        steady(stand, program, yardstick, rate, max(seconds, WINDOW_S))
    yardstick.process.kill()
    print(
        f"\nCPU in windows of {WINDOW_S} s. The yardstick tells how much dearer than at best the same work was on "
        "this machine at the same time: a thousand datagrams a second to itself in sixteen wake-ups, "
        f"{yardstick.at_best_ms:.2f} ms in one go. "
        + ("" if apart else "Not run by root: what writes to the agent's socket waits for it, at its expense."),
        flush=True,
    )


def main():
    node, root, seconds, soak_seconds, *program = sys.argv[1:]
    seconds, soak_seconds = int(seconds), int(soak_seconds)
    apart = bench.own_network()
    stand = bench.Bench(node, Path(root))
    try:
        stand.start_node()
        stand.enroll(program)
        if seconds:
            table(stand, program, seconds, apart)
        if soak_seconds:
            soak(stand, program, 10_000, soak_seconds)
    finally:
        stand.close()


main()
