"""Reference solutions for locate/src/multilaterate/tests/reference.rs, by scipy.

Draws problems with a fixed seed, minimises the Student-t cost (3 degrees of freedom) and the priors by
scipy.optimize.least_squares (trust region reflective, custom loss) from 300 random starts, and polishes the best minimum
with scipy.optimize.root (MINPACK hybr) on the gradient. Shares no code with the crate.
Run: python3 multilaterate.py > multilaterate.txt (needs numpy and scipy; made with numpy 2.4 and scipy 1.17).

One problem per paragraph: `case`, `height`, perhaps `prior` (mean, then the information xx xy xz yy yz zz), one `range` per
anchor (place, distance, deviation), `solution` (place, cost of the ranges alone). Metres, 1/m^2 and nats.
"""

import numpy as np
from scipy.optimize import least_squares, root

DEGREES = 3.0
RANDOM = np.random.default_rng(20261121)


def lift(free, height):
    return np.array([free[0], free[1], height["z"]]) if height["kind"] == "known" else np.asarray(free)


def residuals(place, problem):
    """Scaled residuals of the ranges, then those of the priors, whose squares count as they are."""
    anchors, distances, deviations, height, prior = problem
    parts = [(np.linalg.norm(anchors - place, axis=1) - distances) / deviations]
    if height["kind"] == "about":
        parts.append([(place[2] - height["z"]) / height["deviation"]])
    if prior is not None:
        mean, root_of_information = prior["mean"], prior["root"]
        parts.append(root_of_information @ (place - mean))
    return np.concatenate(parts)


def loss(squares, count):
    rho = np.vstack([squares, np.ones_like(squares), np.zeros_like(squares)])
    z = squares[:count]
    rho[0, :count] = (DEGREES + 1) * np.log1p(z / DEGREES)
    rho[1, :count] = (DEGREES + 1) / (DEGREES + z)
    rho[2, :count] = -(DEGREES + 1) / (DEGREES + z) ** 2
    return rho


def gradient(free, problem):
    anchors, distances, deviations, height, prior = problem
    place = lift(free, height)
    away = place - anchors
    norms = np.linalg.norm(away, axis=1)
    off = norms - distances
    pull = (DEGREES + 1) * off / (DEGREES * deviations**2 + off**2) / norms
    total = pull @ away
    if height["kind"] == "about":
        total = total + np.array([0, 0, (place[2] - height["z"]) / height["deviation"] ** 2])
    if prior is not None:
        total = total + prior["information"] @ (place - prior["mean"])
    return total[: len(free)]


def solve(problem):
    anchors, distances, _, height, _ = problem
    count = len(distances)
    size = 2 if height["kind"] == "known" else 3
    low, high = anchors.min(axis=0) - 6, anchors.max(axis=0) + 6
    found = []
    for _ in range(300):
        start = RANDOM.uniform(low, high)[:size]
        fit = least_squares(
            lambda free: residuals(lift(free, height), problem),
            start,
            loss=lambda squares: loss(squares, count),
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        found.append((fit.cost, tuple(fit.x)))
    cost, best = min(found)
    rivals = [other for other, place in found if np.linalg.norm(np.subtract(place, best)) > 1e-2]
    if rivals and min(rivals) < cost + 1e-2:
        return None
    polished = root(gradient, np.array(best), args=(problem,), tol=1e-14).x
    assert np.linalg.norm(polished - best) < 1e-4 and np.linalg.norm(gradient(polished, problem)) < 1e-9
    place = lift(polished, height)
    squares = residuals(place, problem)[:count] ** 2
    return place, 0.5 * (DEGREES + 1) * np.sum(np.log1p(squares / DEGREES))


def draw(kind, blocked, with_prior):
    count = int(RANDOM.integers(4 if kind == "known" else 5, 11))
    anchors = RANDOM.uniform([0, 0, 0.2], [30, 20, 6.0], (count, 3)).round(3)
    truth = RANDOM.uniform([2, 2, 0.5], [28, 18, 2.0])
    deviations = RANDOM.choice([0.1, 0.3, 1.0], count)
    distances = np.linalg.norm(anchors - truth, axis=1) + deviations * RANDOM.standard_normal(count)
    distances[:blocked] += RANDOM.uniform(2, 10, blocked)
    height = {
        "known": {"kind": "known", "z": round(truth[2], 3)},
        "about": {"kind": "about", "z": 1.2, "deviation": 0.5},
        "free": {"kind": "free"},
    }[kind]
    prior = None
    if with_prior:
        half = np.triu(RANDOM.uniform(-0.5, 0.5, (3, 3)))
        np.fill_diagonal(half, RANDOM.uniform(0.2, 1.5, 3))
        if kind != "free":
            half[:, 2] = 0
        prior = {
            "mean": (truth + RANDOM.normal(0, 1, 3)).round(3),
            "root": half,
            "information": half.T @ half,
        }
    return anchors, distances.round(4), deviations, height, prior


def text(values):
    return " ".join(repr(float(value)) for value in values)


def write(name, problem, solution):
    anchors, distances, deviations, height, prior = problem
    print(f"case {name}")
    print(" ".join(["height", height["kind"]] + [repr(float(v)) for k, v in height.items() if k != "kind"]))
    if prior is not None:
        upper = prior["information"][np.triu_indices(3)]
        print("prior", text(prior["mean"]), text(upper))
    for anchor, distance, deviation in zip(anchors, distances, deviations):
        print("range", text(anchor), text([distance, deviation]))
    place, cost = solution
    print("solution", text(place), text([cost]), end="\n\n")


if __name__ == "__main__":
    for kind in ["known", "about", "free"]:
        for blocked in [0, 1, 2]:
            for with_prior in [False, True]:
                written = 0
                while written < 3:
                    problem = draw(kind, blocked, with_prior)
                    solution = solve(problem)
                    if solution is None:
                        continue
                    written += 1
                    prior = "with" if with_prior else "without"
                    write(f"{kind} height, {blocked} blocked, {prior} prior, {written}", problem, solution)
