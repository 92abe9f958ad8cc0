"""A plot as a picture (PNG), drawn without a plotting library: a hub that never shows one has to install none.

The picture has numbers and times only; what they are is said beside it, in the person's language.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 960, 440
LEFT, RIGHT, TOP, BOTTOM = 110, 30, 30, 50
MAX_POINTS = 600
_INK, _GRID, _LINE = (90, 96, 108), (226, 229, 234), (37, 99, 235)
_SCALE = 2
# Five dots wide and seven high; a row is a number of five bits.
_GLYPHS = {
    "0": "0e11131519110e", "1": "040c040404040e", "2": "0e11010204081f", "3": "1f02040201110e", "4": "02060a121f0202", "5": "1f101e0101110e",
    "6": "0608101e11110e", "7": "1f010204080808", "8": "0e11110e11110e", "9": "0e11110f01020c", ".": "00000000000c0c", "-": "0000001f000000",
    ":": "000c0c000c0c00", "k": "10101214181412", "M": "111b1515111111", "G": "0e11101713110f", " ": "00000000000000",
}  # fmt: skip

Canvas = npt.NDArray[np.float64]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over something that goes on: steps, or time.

    Attributes:
        points: where and how much, in order; at least one.
        begin, end: what the horizontal axis reaches over; `labels` are its two ends, in digits.
        bar: how wide a point is, for what is a sum of that span; 0 for a line.
    """

    points: tuple[tuple[float, float], ...]
    begin: float
    end: float
    labels: tuple[str, str]
    bar: float = 0.0

    @property
    def low(self) -> float:
        """The lower end of the vertical axis: bars stand on nothing."""
        return min(0.0, *self._values) if self.bar else min(self._values)

    @property
    def high(self) -> float:
        """The upper end of the vertical axis."""
        return max(self._values)

    @property
    def _values(self) -> tuple[float, ...]:
        return tuple(value for _, value in self.points)

    def png(self) -> bytes:
        """The picture."""
        canvas: Canvas = np.full((HEIGHT, WIDTH, 3), 255.0)
        for value in dict.fromkeys((self.low, (self.low + self.high) / 2, self.high)):
            height = self._y(value)
            _fill(canvas, LEFT, height - 0.5, WIDTH - RIGHT, height + 0.5, _GRID)
            _write(canvas, short(value), LEFT - 12, round(height) - 7, right=True)
        places = [(self._x(at), self._y(value)) for at, value in thinned(self.points)]
        if self.bar:
            span = max(2.0, self.bar / max(self.end - self.begin, 1e-9) * (WIDTH - LEFT - RIGHT) - 1)
            for x, y in places:
                _fill(canvas, x, y, min(x + span, WIDTH - RIGHT), self._y(max(self.low, 0.0)), _LINE)
        else:
            for (x0, y0), (x1, y1) in pairwise(places):
                _stroke(canvas, x0, y0, x1, y1, 3.0)
            _stroke(canvas, *places[-1], *places[-1], 10.0)
        _write(canvas, self.labels[0], LEFT, HEIGHT - 32)
        _write(canvas, self.labels[1], WIDTH - RIGHT, HEIGHT - 32, right=True)
        return _png(canvas)

    def _x(self, at: float) -> float:
        share = (at - self.begin) / (self.end - self.begin) if self.end > self.begin else 0.5
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def short(value: float) -> str:
    """A number in three digits that count, with a unit where it is large."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor:
            return f"{_digits(value / factor)}{unit}"
    return _digits(value)


def _digits(value: float) -> str:
    text = f"{value:.3g}"
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0" if "e" in text else text


def thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Not more points than there is room for; the last one stays."""
    step = -(-len(points) // MAX_POINTS)
    return points if step <= 1 else [*points[:-1:step], points[-1]]


def _fill(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    top, bottom = sorted((round(y0), round(y1)))
    canvas[max(0, top) : max(bottom, top + 1), max(0, round(x0)) : max(round(x1), round(x0) + 1)] = colour


def _stroke(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
    """A straight line with round ends and smooth edges."""
    reach = int(width) + 2
    left, right = max(0, int(min(x0, x1)) - reach), min(WIDTH, int(max(x0, x1)) + reach)
    top, bottom = max(0, int(min(y0, y1)) - reach), min(HEIGHT, int(max(y0, y1)) + reach)
    ys, xs = np.mgrid[top:bottom, left:right]
    dx, dy = x1 - x0, y1 - y0
    length = dx * dx + dy * dy
    along = np.clip(((xs - x0) * dx + (ys - y0) * dy) / length, 0, 1) if length else np.zeros(xs.shape)
    distance = np.hypot(xs - (x0 + along * dx), ys - (y0 + along * dy))
    cover = np.clip(width / 2 + 0.5 - distance, 0, 1)[:, :, None]
    part = canvas[top:bottom, left:right]
    part += (np.array(_LINE) - part) * cover


def _write(canvas: Canvas, text: str, x: int, y: int, *, right: bool = False) -> None:
    """Digits; `right` says that they end at `x`."""
    known = [_GLYPHS[char] for char in text if char in _GLYPHS]
    at = x - len(known) * 6 * _SCALE if right else x
    for glyph in known:
        for row, bits in enumerate(bytes.fromhex(glyph)):
            for column in range(5):
                if bits >> (4 - column) & 1:
                    left, top = at + column * _SCALE, y + row * _SCALE
                    canvas[max(0, top) : top + _SCALE, max(0, left) : left + _SCALE] = _INK
        at += 6 * _SCALE


def _png(canvas: Canvas) -> bytes:
    """After the PNG specification: a header, the rows (each behind the number of its filter, none), an end."""
    rows = np.zeros((HEIGHT, 1 + WIDTH * 3), np.uint8)
    rows[:, 1:] = canvas.round().astype(np.uint8).reshape(HEIGHT, -1)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
