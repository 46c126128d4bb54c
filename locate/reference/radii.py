"""Reference radii for locate/src/uncertainty.rs: quantiles of the distance of a plane Gaussian from its mean.

Run: python3 radii.py (needs numpy and scipy).
"""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm


def inside(radius, one, other):
    """Probability mass within the radius, for variances along the axes."""
    strip = lambda x: norm.pdf(x, scale=one**0.5) * (2 * norm.cdf((max(radius**2 - x * x, 0)) ** 0.5 / other**0.5) - 1)
    return quad(strip, -radius, radius, epsabs=1e-11, limit=500)[0]


for one, other in [(1, 1), (4, 4), (4, 1), (9, 1), (1, 0.05)]:
    r50, r90 = (brentq(lambda r: inside(r, one, other) - p, 1e-3, 60) for p in (0.5, 0.9))
    print(f"variances ({one}, {other}): {r50:.5f} {r90:.5f}")
