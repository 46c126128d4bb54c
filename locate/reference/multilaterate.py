"""Reference values for locate/src/multilaterate/tests.rs, by an unrelated optimiser.

Minimises the Student-t cost (3 degrees of freedom) by differential evolution and Nelder-Mead, which share
nothing with the Gauss-Newton descent of the crate. Run: python3 multilaterate.py (needs numpy and scipy).
"""

import numpy as np
from scipy.optimize import differential_evolution, minimize

ROOM = [(0, 0, 2.5), (12, 0, 2.4), (12, 8, 2.6), (0, 8, 2.5), (6, 4, 3.0)]
CUBE = [(0, 0, 0.3), (10, 0, 2.8), (10, 9, 0.4), (0, 9, 2.9), (5, 4, 3.5), (2, 7, 0.2)]

CASES = {
    "plane, small errors": (ROOM, 1.2, [5.11, 8.93, 9.87, 6.62, 2.98], [0.3] * 5),
    "plane, one gross error": (ROOM, 1.2, [5.11, 8.93, 9.87, 14.0, 2.98], [0.3] * 5),
    "plane, unequal deviations": (ROOM, 1.2, [6.0, 8.5, 9.0, 6.0, 3.4], [2.0, 0.1, 0.5, 1.0, 0.2]),
    "space, small errors": (CUBE, None, [5.02, 7.96, 8.49, 6.31, 2.63, 4.02], [0.1] * 6),
    "space, one gross error": (CUBE, None, [5.02, 7.96, 8.49, 6.31, 6.0, 4.02], [0.1] * 6),
}


def cost(place, anchors, distances, deviations):
    residual = distances - np.linalg.norm(anchors - place, axis=1)
    return np.sum(2.0 * np.log1p((residual / deviations) ** 2 / 3.0))


for name, (anchors, height, distances, deviations) in CASES.items():
    arrays = tuple(np.array(values, dtype=float) for values in (anchors, distances, deviations))
    lift = (lambda p: np.array([p[0], p[1], height])) if height is not None else np.array
    bounds = [(-5, 20), (-5, 20)] + ([] if height is not None else [(-3, 8)])
    goal = lambda p: cost(lift(p), *arrays)
    start = differential_evolution(goal, bounds, seed=1, tol=1e-12, maxiter=3000).x
    best = minimize(goal, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 9999})
    print(f"{name}: place {[round(float(v), 6) for v in lift(best.x)]} cost {best.fun:.6f}")
