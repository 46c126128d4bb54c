"""Gaussian-process regression by hand, for the test of `shadow_map.rs`."""
import numpy as np

places = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0], [50.0, 0.0]])
residuals = np.array([5.0, 2.0, -3.0])
length, deviation, noise, other, drift = 2.5, 4.0, 1.5, 1.0, 1.0


def covariance(a, b):
    away = np.linalg.norm(a[:, None] - b[None], axis=2)
    return deviation**2 * np.where(away <= 5 * length, np.exp(-away / length), 0.0)


heard = places[:3]
inverse = np.linalg.inv(covariance(heard, heard) + noise**2 * np.eye(3))
every = np.linalg.inv(covariance(places, places) + noise**2 * np.eye(4))
for place in np.array([[0.0, 0.0], [1.0, 0.5], [25.0, 0.0]]):
    reached = covariance(place[None], heard)[0]
    reached_all = covariance(place[None], places)[0]
    total = deviation**2 + noise**2 + other
    left = min(1.0, (total - reached_all @ every @ reached_all + drift) / total)
    print(place, f"{reached @ inverse @ residuals:.8f} {left:.8f}")
