"""Drawing a face: soft ellipses in the colours and places of a `Look`, seen from a side, in some light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nascli.dataflow.sampling import Pixels

Plane = npt.NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """What all pictures of an identity have alike: places and sizes in units of half a picture, colours 0 to 1."""

    width: float
    height: float
    jaw: float
    skin: Colour
    hair: Colour
    hairline: float
    eyes: Colour
    eye_spread: float
    eye_height: float
    eye_size: float
    brow_lift: float
    brow_thickness: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    mouth_fullness: float
    lips: Colour
    mole: tuple[float, float]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Look:
        """The look of somebody."""

        def within(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        tone = within(0.35, 0.9)
        return cls(
            width=within(0.48, 0.68),
            height=within(0.68, 0.86),
            jaw=within(0.0, 0.35),
            skin=(tone, tone * within(0.7, 0.85), tone * within(0.5, 0.75)),
            hair=(within(0.05, 0.75), within(0.05, 0.5), within(0.0, 0.35)),
            hairline=within(0.3, 0.62),
            eyes=(within(0.05, 0.5), within(0.1, 0.6), within(0.05, 0.8)),
            eye_spread=within(0.2, 0.34),
            eye_height=within(0.02, 0.2),
            eye_size=within(0.06, 0.12),
            brow_lift=within(0.1, 0.2),
            brow_thickness=within(0.02, 0.06),
            nose_length=within(0.12, 0.3),
            nose_width=within(0.05, 0.13),
            mouth_width=within(0.14, 0.3),
            mouth_height=within(0.34, 0.5),
            mouth_fullness=within(0.03, 0.09),
            lips=(within(0.45, 0.85), within(0.15, 0.45), within(0.15, 0.45)),
            mole=(within(-0.4, 0.4), within(-0.2, 0.5)),
        )


def portrait(look: Look, size: int, rng: np.random.Generator) -> Pixels:
    """One picture uint8 (3, size, size); pose, light, background and noise come from `rng`."""
    x, y = _posed(size, rng)
    picture = np.ones((3, size, size)) * rng.uniform(0.1, 0.9, size=(3, 1, 1))
    for mask, colour in _layers(look, x, y, 2.0 / size):
        picture = picture * (1 - mask) + np.array(colour)[:, None, None] * mask
    direction, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.45)
    light = rng.uniform(0.55, 1.15) * (1 + strength * (math.cos(direction) * x + math.sin(direction) * y))
    noise = rng.normal(0, rng.uniform(0.01, 0.06), size=picture.shape)
    pixels: Pixels = (255 * (picture * light + noise)).clip(0, 255).astype(np.uint8)
    return pixels


def _posed(size: int, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """The place in the face, (size, size) each, that every pixel shows: turned, moved, nearer or farther."""
    grid = (np.arange(size) + 0.5) * 2 / size - 1
    across, down = np.meshgrid(grid - rng.uniform(-0.14, 0.14), grid - rng.uniform(-0.14, 0.14))
    roll, scale, yaw = rng.uniform(-0.3, 0.3), rng.uniform(0.85, 1.15), rng.uniform(-0.35, 0.35)
    x = (math.cos(roll) * across + math.sin(roll) * down) / (scale * math.cos(yaw))
    y = (math.cos(roll) * down - math.sin(roll) * across) / scale
    return x + 0.35 * yaw * (1 - x**2), y


def _layers(look: Look, x: Plane, y: Plane, edge: float) -> list[tuple[Plane, Colour]]:
    """Masks (size, size), 0 to 1, with their colours, from back to front."""

    def ellipse(left: float, top: float, wide: float, high: float) -> Plane:
        distance = (np.hypot((x - left) / wide, (y - top) / high) - 1) * min(wide, high)
        mask: Plane = (0.5 - distance / edge).clip(0, 1)
        return mask

    narrowed = look.width * (1 - look.jaw * y.clip(0, None))
    face = (0.5 - (np.hypot(x / narrowed, y / look.height) - 1) * look.width / edge).clip(0, 1)
    scalp = ellipse(0, -0.12, look.width * 1.12, look.height * 1.02)
    hair = scalp * (0.5 - (y + look.hairline) / edge).clip(0, 1)
    shadow: Colour = (look.skin[0] * 0.7, look.skin[1] * 0.65, look.skin[2] * 0.65)
    layers = [(scalp, look.hair), (face, look.skin), (hair, look.hair)]
    for side in (-1, 1):
        left, top = side * look.eye_spread, -look.eye_height
        layers.append((ellipse(left, top - look.brow_lift, look.eye_size * 1.6, look.brow_thickness), look.hair))
        layers.append((ellipse(left, top, look.eye_size * 1.4, look.eye_size * 0.8), (0.95, 0.95, 0.95)))
        layers.append((ellipse(left, top, look.eye_size * 0.7, look.eye_size * 0.7), look.eyes))
    nose = look.nose_length - look.eye_height
    layers.append((ellipse(0, nose / 2, look.nose_width * 0.6, look.nose_length / 2 + 0.02), shadow))
    layers.append((ellipse(0, nose, look.nose_width, look.nose_width * 0.5), shadow))
    layers.append((ellipse(0, look.mouth_height, look.mouth_width, look.mouth_fullness), look.lips))
    layers.append((ellipse(*look.mole, 0.035, 0.035), shadow))
    return layers
