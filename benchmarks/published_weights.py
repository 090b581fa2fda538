"""Whether published weights mean here what their publishers say: ImageNet's answers to photographs.

The four categories of the Caltech-101 tar that are ImageNet classes too, each picture squashed to
the network's size and prepared as its publisher states; top-1 and top-5 among all 1,000 classes.

    python benchmarks/published_weights.py [--data ../shared/data] [--pictures 40]
"""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from allotrope.network import zoo
from allotrope.network.zoo.transferred import transferred

PICTURES = "images/caltech101-12.tar"
CLASSES = {"trilobite": 69, "Leopards": 288, "starfish": 327, "grand_piano": 579}
CAFFE = np.float32([104, 117, 123])


def from_minus_one_to_one(pixels):
    return pixels / np.float32(127.5) - 1


def less_means_in_bgr(pixels):
    return pixels[..., ::-1] - CAFFE


# Network, file, side and preparation: ../shared/data/README.md.
CASES = {
    "mobilenet_v1": ("mobilenet_v1_0.25_224", 224, from_minus_one_to_one),
    "squeezenet1_0": ("squeezenet_v1.0_deepcompression", 227, less_means_in_bgr),
}


def pictures(data, category, count, side):
    """Evenly spread ones of the category: float32 [n, side, side, 3]."""
    with tarfile.open(data / PICTURES) as tar:
        members = [each for each in tar if each.isfile() and f"/{category}/" in each.name]
        members = sorted(members, key=lambda each: each.name)
        chosen = members[:: max(1, len(members) // count)][:count]
        opened = [Image.open(tar.extractfile(each)).convert("RGB") for each in chosen]
        sized = [each.resize((side, side), Image.Resampling.BILINEAR) for each in opened]
        return np.stack([np.asarray(each, np.float32) for each in sized])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pictures", type=int, default=40)
    options = parser.parse_args()
    for name, (file, side, prepare) in CASES.items():
        path = options.data / "weights" / f"{file}.safetensors"
        loaded = transferred(zoo.network(name), (3, side, side), path, 0)
        print(loaded.line)
        first = five = count = 0
        for category, number in CLASSES.items():
            x = prepare(pictures(options.data, category, options.pictures, side))
            x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
            logits = loaded.network.run({"x": x}, framework="pytorch")["logits"]
            best = np.argsort(-logits, 1)[:, :5]
            right = best[:, 0] == number
            first, five = first + right.sum(), five + (best == number).any(1).sum()
            count += len(x)
            print(f"  {category}: {right.mean():.1%} of {len(x)} at once")
        print(f"{name}: top-1 {first / count:.1%}, top-5 {five / count:.1%} of {count} pictures")


if __name__ == "__main__":
    main()
