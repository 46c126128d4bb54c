"""Measures what the agent takes of its machine; see `footprint` beside this folder."""

import sys
import time
from pathlib import Path

import bench

RESTART_EVERY_S = 60


class Use:
    """What a process has used so far, as the kernel counts it."""

    def __init__(self, process):
        self.at = time.monotonic()
        folder = Path("/proc") / str(process.pid)
        # Nanoseconds on a processor; utime and stime count in ticks of 10 ms.
        self.cpu_ms = sum(
            int((task / "schedstat").read_text().split()[0]) for task in (folder / "task").iterdir()
        ) / 1e6
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        self.rss_kib, self.anon_kib = (int(lines[key].split()[0]) for key in ("VmRSS", "RssAnon"))
        self.threads = int(lines["Threads"])


def steady(stand, program, rate, seconds):
    """One row: an agent of its own at this rate."""
    process, _ = stand.start_agent(program)
    hear(stand, rate, 2)  # warm
    before = Use(process)
    sent, _ = hear(stand, rate, seconds)
    after = Use(process)
    books = stand.stop_agent(process)
    cpu_ms, passed_s = after.cpu_ms - before.cpu_ms, after.at - before.at
    per_thousand = f"{cpu_ms / sent * 1000:.2f}" if sent else "idle"
    print(
        f"| {rate:,} | {sent / passed_s:,.0f} | {after.rss_kib:,} | {after.anon_kib:,} "
        f"| {cpu_ms / passed_s:.2f} | {per_thousand} | {after.threads} "
        f"| {bench.dropped(books)} + {bench.lost(books)} | {books['residual']} |",
        flush=True,
    )


def hear(stand, rate, seconds, each_second=lambda: None):
    if rate == 0:
        time.sleep(seconds)
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


def main():
    node, root, seconds, soak_seconds, *program = sys.argv[1:]
    seconds, soak_seconds = int(seconds), int(soak_seconds)
    stand = bench.Bench(node, Path(root))
    try:
        stand.start_node()
        stand.enroll(program)
        print(
            "| observations/s wanted | given | RSS, KiB | of it anonymous | CPU, ms per s | CPU, ms per 1,000 "
            "| threads | dropped + lost | residual |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        )
        if seconds:
            for rate in (0, 1_000, 10_000):
                steady(stand, program, rate, seconds)
        if soak_seconds:
            soak(stand, program, 10_000, soak_seconds)
    finally:
        stand.close()


main()
