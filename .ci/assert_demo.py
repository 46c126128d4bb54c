"""Reads the demo's JSON and fails unless it keeps what the README promises."""

import json
import sys

report = json.load(sys.stdin)
observations, fixes, latency = report["observations"], report["fixes"], report["latency_ms"]

checks = {
    "books close: residual is 0": observations["residual"] == 0,
    "nothing lost on loopback": observations["lost"] == 0 and observations["unknown"] == 0,
    "something was folded": observations["folded"] > 10_000,
    "median error at most 1.6 m": fixes["median_error_m"] <= 1.6,
    "nine of ten within 4 m": fixes["p90_error_m"] <= 4.0,
    "floor right in 97 of 100": fixes["floor_accuracy"] >= 0.97,
    "99 of 100 observations in a fix within 1.5 s": latency["p99"] <= 1500.0,
}
failed = [name for name, kept in checks.items() if not kept]
for name, kept in checks.items():
    print("ok    " if kept else "FAILED", name)
sys.exit(1 if failed else 0)
