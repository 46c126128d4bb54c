"""Runs a cross binary against a native node; see `cross-check` beside this folder."""

import sys
import time
from pathlib import Path

import bench

RATE, SECONDS = 1_000, 10


def main():
    node, root, target, *agent = sys.argv[1:]
    stand = bench.Bench(node, Path(root))
    try:
        stand.start_node()
        stand.enroll(agent)
        process, connected_s = stand.start_agent(agent)
        sent, took_s = stand.hostapd.send(RATE, SECONDS)
        time.sleep(1)  # the agent looks at its sources a few times a second
        books = stand.stop_agent(process)
    finally:
        stand.close()

    offered, received = bench.seen(books, "offered"), bench.seen(books, "received")
    print(
        f"{target}: enrolled, connected after {connected_s * 1000:.0f} ms; {sent} observations in "
        f"{took_s:.1f} s: offered {offered}, received {received}, lost {bench.lost(books)}, "
        f"dropped by the agent {bench.dropped(books)}, residual {books['residual']}"
    )
    problems = []
    if took_s > SECONDS * 1.05:
        problems.append(f"it took {took_s:.1f} s instead of {SECONDS} s to take them in")
    if offered != sent:
        problems.append(f"{sent} were heard, {offered} offered")
    if books["residual"] != 0:
        problems.append(f"the books do not close: {books}")
    if received < sent * 0.99:
        problems.append(f"only {received} of {sent} came through loopback")
    if problems:
        bench.fail("; ".join(problems))


main()
