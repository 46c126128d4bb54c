"""The blind baseline: fixed constants, nothing fitted, posterior mean on a grid.

Prints the list `fixed` of src/accuracy/baselines.toml. It shares no code with the estimator.
Needs numpy; run: python3 fixed_constants.py DATA, where DATA holds the sets' folders.

Model: rssi = P - 10 n log10(d) - 15 dB per slab + b + e, with P = -42 dBm at 1 m for Wi-Fi and
-59 dBm for Bluetooth, n = 2.4, e ~ N(0, 7 dB) independent, and a client offset b ~ N(0, 8 dB),
integrated out in closed form. Anchors hang 1.3 m above the client where no height is known.
"""

import csv
import gzip
import sys
from pathlib import Path

import numpy as np

CELL_M, MARGIN_M, REACH_M, STOREY_M, SLAB_DB = 0.5, 4.0, 1.0, 3.5, 15.0
EXPONENT, SIGMA_DB, OFFSET_DB = 2.4, 7.0, 8.0


def number(text):
    return float(text) if text else None


def load(folder):
    anchors = list(csv.DictReader(open(folder / "anchors.csv")))
    truth = list(csv.DictReader(gzip.open(folder / "truth.csv.gz", "rt")))
    heard = {}
    for row in csv.DictReader(gzip.open(folder / "observations.csv.gz", "rt")):
        if row["rssi_dbm"]:
            by_anchor = heard.setdefault(row["epoch_id"], {})
            by_anchor.setdefault(row["anchor_id"], []).append(float(row["rssi_dbm"]))
    return anchors, truth, heard


def cells(anchors, places, masked):
    """Middles of the grid's cells on every floor, with the floor's number: n x 3."""
    corners = np.array([[float(a["x_m"]), float(a["y_m"])] for a in anchors])
    low, high = corners.min(0) - MARGIN_M, corners.max(0) + MARGIN_M
    if masked:
        everywhere = np.array([place[:2] for place in places])
        low = np.minimum(low, everywhere.min(0) - REACH_M)
        high = np.maximum(high, everywhere.max(0) + REACH_M)
    x, y = (np.arange(low[i] + CELL_M / 2, high[i], CELL_M) for i in (0, 1))
    plan = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    floors = sorted({int(a["floor"] or 0) for a in anchors} | {int(p[2]) for p in places})
    grid = []
    for floor in floors:
        kept = plan
        if masked:
            near = np.unique([place[:2] for place in places if place[2] == floor], axis=0)
            away = np.min([((plan - place) ** 2).sum(1) for place in near], axis=0)
            kept = plan[away <= REACH_M**2]
        grid.append(np.column_stack([kept, np.full(len(kept), floor)]))
    return np.concatenate(grid)


def score(folder, masked):
    anchors, truth, heard = load(folder)
    cal = [t for t in truth if t["split"] == "cal"]
    places = [(float(t["x_m"]), float(t["y_m"]), int(t["floor"] or 0)) for t in cal]
    grid = cells(anchors, places, masked)
    heights = [float(t["z_m"]) for t in cal if t["z_m"]]
    index, expected = {}, []
    for anchor in anchors:
        index[anchor["anchor_id"]] = len(expected)
        storeys = np.abs(grid[:, 2] - int(anchor["floor"] or 0))
        z_m = number(anchor["z_m"])
        up_m = z_m - np.mean(heights) if z_m is not None and heights else 1.3
        flat = (grid[:, 0] - float(anchor["x_m"])) ** 2 + (grid[:, 1] - float(anchor["y_m"])) ** 2
        distance = np.maximum(np.sqrt(flat + (up_m + STOREY_M * storeys) ** 2), 0.5)
        level = -59.0 if anchor["band"] == "ble" else -42.0
        expected.append(level - 10 * EXPONENT * np.log10(distance) - SLAB_DB * storeys)
    expected, errors = np.array(expected), []
    for epoch in truth:
        rows = heard.get(epoch["epoch_id"])
        if epoch["split"] != "test" or not rows:
            continue
        residual = np.array([np.mean(levels) - expected[index[a]] for a, levels in rows.items()])
        weight = 1 / SIGMA_DB**2
        total = len(rows) * weight + 1 / OFFSET_DB**2
        log = -0.5 * (weight * (residual**2).sum(0) - (weight * residual.sum(0)) ** 2 / total)
        mass = np.exp(log - log.max())
        mean = (mass[:, None] * grid[:, :2]).sum(0) / mass.sum()
        errors.append(np.hypot(*(mean - [float(epoch["x_m"]), float(epoch["y_m"])])))
    return np.median(errors), np.sqrt(np.mean(np.square(errors)))


for folder in sorted(path.parent for path in Path(sys.argv[1]).glob("*/anchors.csv")):
    if not load(folder)[2]:
        continue
    for area in ("open", "mask"):
        median_m, rmse_m = score(folder, area == "mask")
        error_m = f"[{median_m:.2f}, {rmse_m:.2f}]"
        print(f'  {{ set = "{folder.name}", area = "{area}", error_m = {error_m} }},')
