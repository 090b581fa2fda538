"""RandAugment and TrivialAugment over batches, against Pillow a picture at a time.

One thread, in turns, the median of the rounds; pictures a second of the processor's time at 32 and
224 pixels.

    OMP_NUM_THREADS=1 python benchmarks/augment_policies.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from allotrope.inputs.image.policies import USUAL, WIDE, rand_augmented, trivially_augmented

BATCHES = {32: 256, 224: 64}
BILINEAR = Image.Resampling.BILINEAR


def moved(picture, a, b, c, d, e, f):
    return picture.transform(picture.size, Image.Transform.AFFINE, (a, b, c, d, e, f), BILINEAR)


def by_pillow(reach):
    """The 14 changes as functions of a picture, a magnitude and a sign."""

    def enhanced(kind):
        return lambda x, m, s: kind(x).enhance(1 + s * m * reach.color)

    return [
        lambda x, m, s: x,
        lambda x, m, s: ImageOps.autocontrast(x),
        lambda x, m, s: ImageOps.equalize(x),
        lambda x, m, s: x.rotate(s * m * reach.turn, BILINEAR),
        lambda x, m, s: ImageOps.solarize(x, 256 - 256 * m),
        lambda x, m, s: ImageOps.posterize(x, 8 - round(m * reach.bits)),
        *map(
            enhanced,
            (
                ImageEnhance.Color,
                ImageEnhance.Contrast,
                ImageEnhance.Brightness,
                ImageEnhance.Sharpness,
            ),
        ),
        lambda x, m, s: moved(x, 1, s * m * reach.slant, 0, 0, 1, 0),
        lambda x, m, s: moved(x, 1, 0, 0, s * m * reach.slant, 1, 0),
        lambda x, m, s: moved(x, 1, 0, s * m * reach.move * x.width, 0, 1, 0),
        lambda x, m, s: moved(x, 1, 0, 0, 0, 1, s * m * reach.move * x.height),
    ]


def one_at_a_time(images, rng, reach, operations, magnitude):
    changes, result = by_pillow(reach), np.empty_like(images)
    for row, image in enumerate(images):
        picture = Image.fromarray(image)
        for _ in range(operations):
            drawn = rng.integers(0, 31) / 30 if magnitude is None else magnitude
            picture = changes[rng.integers(len(changes))](picture, drawn, rng.choice((-1, 1)))
        result[row] = np.asarray(picture)
    return result


CASES = {
    "randaugment": (
        lambda x, rng: rand_augmented(x, rng, 2, 0.3),
        lambda x, rng: one_at_a_time(x, rng, USUAL, 2, 0.3),
    ),
    "trivialaugment": (
        trivially_augmented,
        lambda x, rng: one_at_a_time(x, rng, WIDE, 1, None),
    ),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for side, count in BATCHES.items():
        images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
        for name, (ours, pillows) in CASES.items():
            seconds = ([], [])
            for turn in range(options.rounds):
                for way, taken in zip((ours, pillows), seconds, strict=True):
                    began = time.process_time()
                    way(images, np.random.default_rng(turn))
                    taken.append(time.process_time() - began)
            speeds = [count / np.median(taken) for taken in seconds]
            times = (
                f"{speeds[0]:,.0f} a second, Pillow {speeds[1]:,.0f}: {speeds[0] / speeds[1]:.1f}x"
            )
            print(f"{name} at {side} pixels: {times}")


if __name__ == "__main__":
    main()
