"""Volumes as an input: raw values on one grid in, window and normalization as nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from allotrope.errors import DataError, UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.by_page import pages
from allotrope.inputs.contract import Input, Shown
from allotrope.inputs.image.ranges import array_spread, stretch_range
from allotrope.inputs.mixture import Mixture
from allotrope.inputs.stretch import stretched
from allotrope.inputs.volume.change import changed
from allotrope.inputs.volume.own_scale import normalized_each
from allotrope.inputs.volume.scan_grid import UnreadableVolume, sides_in_words
from allotrope.inputs.volume.volume_files import read_volume
from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained


@dataclass(frozen=True, kw_only=True)
class Volume(Input):
    """Values float32 [n, depth, height, width] from foot to head, back to front, left to right.

    `spacing` are millimetres between voxels along each axis. `window` are the lowest and highest
    value that are told apart; `mean` and `std` are of the training values within it. If values are
    `relative`, each volume is normalized by its own instead.
    """

    kind: ClassVar[str] = "volume"
    blends: ClassVar[bool] = True

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    window: tuple[float, float] | None = None
    mean: float = 0.0
    std: float = 1.0
    relative: bool = False

    def value(self) -> Value:
        """float32 ["n", depth, height, width]."""
        return Value(self.name, np.dtype(np.float32), ("n", *self.shape))

    @property
    def mirror_axis(self) -> int | None:
        """The last one, as training mirrors volumes."""
        return 3

    def fitted(self, x: np.ndarray) -> Self:
        """With a window, if it has none, and mean and deviation of the values within.

        As it is if volumes are normalized each by its own values.
        """
        if self.relative:
            return self
        spread = array_spread(x)
        # What matters may be few voxels, so that nothing but what is far out is left out.
        low, high = self.window or stretch_range(spread)
        seen = np.clip(spread.sample, low, high)
        std = float(max(seen.std(), 1e-6 * (high - low)))
        return replace(self, window=(low, high), mean=float(seen.mean()), std=std)

    def augment(
        self,
        x: np.ndarray,
        rng: np.random.Generator,
        strength: Augmentation,
        mirrored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Moved, noisy, brighter or darker; mirrored from left to right if that is asked for."""
        if self.relative:
            return changed(x, rng, strength, mirrored, x.std(axis=(1, 2, 3), keepdims=True))
        return changed(x, rng, strength, mirrored, self.std)

    def mixed(self, x: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Blended."""
        return mixture.blended(x.reshape(len(x), -1)).reshape(x.shape).astype(np.float32)

    def blank(self, x: np.ndarray) -> np.ndarray:
        """The volumes of a single value."""
        flat = (page.reshape(len(page), -1) for page in pages(x))
        alike = [part.min(axis=1) == part.max(axis=1) for part in flat]
        return np.flatnonzero(np.concatenate(alike))

    def described(self, x: np.ndarray) -> str:
        """Such as `32x48x48 voxels of 3x2x2 mm, values -160 to 240 told apart`."""
        grid = f"{sides_in_words(self.shape)} voxels of {sides_in_words(self.spacing)} mm"
        if self.relative:
            return f"{grid}, each normalized by its own values"
        low, high = self.window or (x.min(), x.max())
        return f"{grid}, values {low:.6g} to {high:.6g} told apart"

    def prepare(self, network: Network) -> Network:
        """Raw values in place of float32 [n, 1, d, h, w]: cut to the window, less mean, by std."""
        self._check(network)
        inner = f"{self.name}.normalized"
        return chained(self._front(inner), network.renamed({self.name: inner}))

    def _front(self, output: str) -> Network:
        """float32 [n, d, h, w] to `output`, float32 [n, 1, d, h, w]."""
        build = Builder(self.name)
        x = build.input(self.name, np.float32, ("n", *self.shape))
        scaled = normalized_each(build, x) if self.relative else self._scaled(build, x)
        axes = build.constant(np.array([1], np.int64), f"{self.name}.axes")
        build.output(build.add("Unsqueeze", [scaled, axes], name=f"{self.name}.channel"), output)
        return build.network()

    def _scaled(self, build: Builder, x: str) -> str:
        """Values cut to the window, less the mean, by the deviation."""
        ends = self.window or (-np.inf, np.inf)
        limits = [build.constant(np.float32(end), f"{self.name}.end") for end in ends]
        cut = build.add("Clip", [x, *limits], name=f"{self.name}.window")
        mean = build.constant(np.float32(self.mean), f"{self.name}.mean")
        scale = build.constant(np.float32(1 / self.std), f"{self.name}.scale")
        centered = build.add("Sub", [cut, mean], name=f"{self.name}.centered")
        return build.add("Mul", [centered, scale], name=f"{self.name}.scaled")

    def _check(self, network: Network) -> None:
        x = next((value for value in network.inputs if value.name == self.name), None)
        wanted = (1, *self.shape)
        if x is None or x.dtype != np.float32 or x.shape is None or x.shape[1:] != wanted:
            listed = ", ".join(f"'{x.name}' {x.dtype} {x.shape}" for x in network.inputs)
            raise UsageError(
                f"input '{self.name}' needs a network with an input of its name, float32 "
                f"[n, {', '.join(map(str, wanted))}]; this network takes {listed or 'nothing'}."
            )

    def read(self, argument: str) -> np.ndarray:
        """The scan in a file or folder on this grid: float32 [d, h, w]."""
        try:
            return read_volume(Path(argument), self.shape, self.spacing)
        except UnreadableVolume as error:
            raise DataError(f"{argument}: {error}.") from None

    def show(self, x: np.ndarray) -> Shown:
        """The middle slices beside each other: from above, from the front, from the left."""
        depth, height, width = (side // 2 for side in x.shape)
        return Shown(picture=_slices(self._gray(x), (depth, height, width)))

    def under(self, x: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The slices through the strongest place of the map."""
        whole = stretched(heat, self.shape)
        depth, height, width = (int(at) for at in np.unravel_index(whole.argmax(), whole.shape))
        at = depth, height, width
        return _slices(self._gray(x), at), _slices(whole, at)

    def _gray(self, x: np.ndarray) -> np.ndarray:
        """Values within the window, uint8 [d, h, w]."""
        low, high = self.window or (x.min(), x.max())
        return np.rint(np.clip((x - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)


def _slices(x: np.ndarray, at: tuple[int, int, int]) -> np.ndarray:
    """Three slices of x [d, h, w] beside each other: from above, from the front, from the left."""
    depth, height, width = at
    # Head and front are at the end of their axes, and up in a picture.
    slices = [x[depth, ::-1], x[::-1, height], x[::-1, :, width]]
    tall = max(len(one) for one in slices)
    padded = [np.pad(one, ((0, tall - len(one)), (0, 1))) for one in slices]
    return np.concatenate(padded, axis=1)
