"""Pictures as an input: raw pixels in, pre-processing as nodes in front of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.contract import Input, Shown
from allotrope.inputs.image.augmented import augmented
from allotrope.inputs.image.blank import blank_rows
from allotrope.inputs.image.mixing import drawn_mixture, mixed
from allotrope.inputs.image.statistics import pixel_statistics
from allotrope.inputs.mixture import Mixture
from allotrope.inputs.stretch import stretched
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing


@dataclass(frozen=True, kw_only=True)
class Image(Input):
    """Pixels uint8 [n, height, width, channels], grey or in colour.

    `value_range` are the values that are black and white in pictures of more than 8 bits a channel;
    None if no such were among the training pictures. `mean` and `std` are of the training pixels,
    one for each channel.
    """

    kind: ClassVar[str] = "image"
    blends: ClassVar[bool] = True
    cuts: ClassVar[bool] = True

    height: int
    width: int
    channels: int
    value_range: tuple[float, float] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, name: str, images: np.ndarray, value_range: tuple[float, float] | None = None
    ) -> Image:
        """The input that takes images such as these [n, h, w, c]."""
        _, height, width, channels = images.shape
        return cls(
            name=name, height=height, width=width, channels=channels, value_range=value_range
        )

    def value(self) -> Value:
        """uint8 ["n", height, width, channels]."""
        shape = ("n", self.height, self.width, self.channels)
        return Value(self.name, np.dtype(np.uint8), shape)

    @property
    def mirror_axis(self) -> int | None:
        """That of the columns of pixels."""
        return 2

    def fitted(self, x: np.ndarray) -> Self:
        """With mean and deviation of the pixels."""
        mean, std = pixel_statistics(x)
        return replace(self, mean=tuple(mean), std=tuple(std))

    def augment(
        self,
        x: np.ndarray,
        rng: np.random.Generator,
        strength: Augmentation,
        mirrored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Mirrored, moved, turned, in other colours, partly covered."""
        return augmented(x, strength, rng, mirrored)

    def draw_mixture(
        self, count: int, rng: np.random.Generator, strength: Augmentation
    ) -> Mixture | None:
        """Mixup or cutmix."""
        return drawn_mixture(count, (self.height, self.width), strength, rng)

    def mixed(self, x: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Blended, or with boxes of each other."""
        return mixed(x, mixture)

    def blank(self, x: np.ndarray) -> np.ndarray:
        """All black, all white, wholly transparent."""
        return blank_rows(x)

    def described(self, x: np.ndarray) -> str:
        """Such as `28x28, grey`."""
        return f"{self.height}x{self.width}, {'grey' if self.channels == 1 else 'colour'}"

    def prepare(self, network: Network) -> Network:
        """Pixels in place of float32 [n, c, h, w]: each channel less its mean, by its deviation."""
        return with_preprocessing(network, self.mean, self.std, image=self.name)

    def read(self, argument: str) -> np.ndarray:
        """The pixels uint8 [height, width, channels] of a picture file."""
        # Only here: Pillow takes a while to load.
        from allotrope.inputs.image.pictures import read_picture, strict_size

        size = self.height, self.width, self.channels
        with strict_size():
            return read_picture(Path(argument), *size, self.value_range)

    def show(self, x: np.ndarray) -> Shown:
        """The picture itself."""
        return Shown(picture=x[..., 0] if self.channels == 1 else x)

    def under(self, x: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The picture, and the map at its size."""
        picture = self.show(x).picture
        assert picture is not None
        return picture, stretched(heat, (self.height, self.width))
