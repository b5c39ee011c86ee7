"""What is behind the animal, and what is in front of it."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tlhelpers.drawn_pets.factors import Factors
from tlhelpers.drawn_pets.shapes import mix

_SHADE = [40 + v * 3 // 4 for v in range(256)]


def noise_picture(width: int, height: int, side: int, rng: np.random.Generator) -> Image.Image:
    """Grey noise of `width` by `height` cells, spread smoothly over a picture of `side` pixels."""
    cells = Image.frombytes("L", (width, height), rng.bytes(width * height))
    return cells.resize((side, side), Image.Resampling.BICUBIC)


def draw_background(f: Factors, side: int, rng: np.random.Generator) -> Image.Image:
    """Grass, a room, a blanket or the open air, out of focus, as an RGB picture of `side` pixels."""
    image = Image.new("RGB", (side, side), f.upper)
    draw = ImageDraw.Draw(image)
    horizon = int(f.horizon * side)
    draw.rectangle((0, horizon, side, side), fill=f.lower)
    {"grass": _garden, "sofa": _sofa, "floor": _floor, "blanket": _blanket, "sky": _hills}[f.background](
        f, draw, side, horizon, rng
    )
    _clutter(f, draw, side, rng)
    image = image.filter(ImageFilter.BoxBlur(side * (0.006 + 0.02 * rng.random())))
    coarse, fine = noise_picture(5, 5, side, rng), noise_picture(side // 3, side // 3, side, rng)
    texture = Image.blend(coarse, fine, 0.25 if f.background in ("grass", "blanket") else 0.1)
    dark = texture.point(_SHADE)
    return Image.composite(image, Image.new("RGB", (side, side), mix(f.lower, (30, 26, 24), 0.6)), dark)


def _garden(f: Factors, draw, side, horizon, rng) -> None:
    for x, y, size, tone in rng.random((14, 4)).tolist():
        r = side * (0.05 + 0.14 * size)
        x, y = x * side, (y * 1.1 - 0.1) * horizon
        leaf = mix(f.upper, mix(f.lower, (20, 34, 16) if tone < 0.6 else (216, 222, 190), 0.7), 0.6)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=leaf)
    draw.rectangle((0, horizon, side, side), fill=f.lower)
    for x, y, lean, tone in rng.random((110, 4)).tolist():
        x, y = x * side, horizon + y * (side - horizon)
        length = side * (0.03 + 0.08 * (y - horizon) / side)
        blade = mix(f.lower, (28, 44, 14) if tone < 0.5 else (206, 210, 120), 0.55 * abs(2 * tone - 1))
        draw.line((x, y, x + (lean - 0.5) * length, y - length), fill=blade, width=max(1, side // 90))


def _sofa(f: Factors, draw, side, horizon, rng) -> None:
    back = int(horizon * rng.uniform(0.2, 0.8))
    left = int(side * rng.uniform(-0.3, 0.15))
    right = left + int(side * rng.uniform(0.9, 1.3))
    draw.rounded_rectangle((left, back, right, side), radius=side // 10, fill=mix(f.lower, (0, 0, 0), 0.15))
    for x in np.linspace(left, right, 4)[1:-1]:
        draw.line((x, back, x, horizon), fill=mix(f.lower, (0, 0, 0), 0.4), width=max(1, side // 50))
    draw.rounded_rectangle((left, horizon, right, side * 1.2), radius=side // 14, fill=f.lower)
    draw.line((left, horizon, right, horizon), fill=mix(f.lower, (0, 0, 0), 0.45), width=max(1, side // 40))


def _floor(f: Factors, draw, side, horizon, rng) -> None:
    vanishing = side * rng.uniform(0.2, 0.8)
    for x in np.arange(-1.5, 2.6, 0.22) * side:
        draw.line((vanishing + 0.3 * (x - vanishing), horizon, x, side), fill=mix(f.lower, (20, 10, 0), 0.4), width=1)
    skirting = mix(f.upper, (255, 255, 255), 0.5)
    draw.rectangle((0, horizon - side // 24, side, horizon), fill=skirting)
    x = side * rng.uniform(-0.2, 0.8)
    if rng.random() < 0.6:
        draw.rectangle(
            (x, 0, x + side * rng.uniform(0.2, 0.5), horizon), fill=mix(f.upper, f.lower, rng.uniform(0.3, 1))
        )


def _blanket(f: Factors, draw, side, horizon, rng) -> None:
    draw.rectangle((0, 0, side, side), fill=f.lower)
    step, width = side * rng.uniform(0.08, 0.3), side * rng.uniform(0.02, 0.1)
    slope = rng.uniform(-0.6, 0.6)
    second = mix(f.lower, f.upper, 0.7)
    for x in np.arange(-1, 2, step / side) * side:
        draw.line((x, 0, x + slope * side, side), fill=second, width=int(width) + 1)
    if rng.random() < 0.5:
        for y in np.arange(-1, 2, step / side) * side:
            draw.line((0, y, side, y - slope * side), fill=mix(f.lower, f.upper, 0.4), width=int(width) + 1)


def _hills(f: Factors, draw, side, horizon, rng) -> None:
    for y in range(0, horizon, max(1, side // 24)):
        tone = mix(f.upper, (244, 244, 244), 0.6 * y / max(1, horizon))
        draw.rectangle((0, y, side, y + side // 24 + 1), fill=tone)
    for k in range(2):
        x, width, height = side * rng.random(), side * rng.uniform(0.4, 0.9), side * rng.uniform(0.05, 0.25)
        far = mix(f.lower, f.upper, 0.6 - 0.3 * k)
        draw.ellipse((x - width, horizon - height, x + width, horizon + height), fill=far)
    draw.rectangle((0, horizon, side, side), fill=f.lower)


def _clutter(f: Factors, draw, side, rng) -> None:
    for kind, x, y, size, ratio, *tint in rng.random((f.clutter, 8)).tolist():
        w, h = side * (0.04 + 0.16 * size), side * (0.04 + 0.16 * size) * (0.4 + 1.6 * ratio)
        x, y = x * side, y * side
        colour = mix(mix(f.upper, f.lower, tint[2]), tuple(int(40 + 200 * t) for t in tint), 0.6)
        if kind < 0.4:
            draw.ellipse((x - w, y - h, x + w, y + h), fill=colour)
        elif kind < 0.75:
            draw.rectangle((x - w, y - h, x + w, y + h), fill=colour)
        else:
            draw.line((x - 2 * w, y - h, x + 2 * w, y + h), fill=colour, width=max(1, side // 30))


def draw_occluder(f: Factors, image: Image.Image, rng: np.random.Generator) -> None:
    """Put a box, a bar or leaves before the animal, in place."""
    if not f.occlusion:
        return
    side = image.width
    draw = ImageDraw.Draw(image)
    depth = f.occlusion * side
    colour = mix(mix(f.upper, f.lower, rng.random()), tuple(rng.integers(30, 220, 3).tolist()), 0.5)
    if f.occluder == "box":
        top = side - depth
        draw.rectangle((0, top, side, side), fill=colour)
        draw.line((0, top, side, top), fill=mix(colour, (255, 255, 255), 0.35), width=max(1, side // 50))
    elif f.occluder == "bar":
        x = side * (0.05 + 0.25 * rng.random()) if rng.random() < 0.5 else side * (0.7 + 0.25 * rng.random())
        draw.rectangle((x, 0, x + 0.5 * depth, side), fill=colour)
        draw.line((x, 0, x, side), fill=mix(colour, (255, 255, 255), 0.3), width=max(1, side // 60))
    else:
        for x, lean, length, tone in rng.random((12, 4)).tolist():
            x, length = x * side, depth * (0.6 + 1.4 * length)
            leaf = mix((62, 92, 36), (150, 170, 80), tone)
            draw.polygon(
                (x - side / 50, side, x + side / 50, side, x + (lean - 0.5) * length, side - length), fill=leaf
            )
