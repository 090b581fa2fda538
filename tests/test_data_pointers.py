"""Files that Git LFS left as pointers are named for what they are, in every kind of source."""

import numpy as np
import pytest
from PIL import Image

import allotrope
from allotrope.data.sources.lfs_pointers import is_pointer
from allotrope.errors import DataError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 123\n"
FILES = ["a.csv", "a.txt", "a.jsonl", "a.npz", "a.npy", "a.parquet", "a.csv.gz", "a.nii.gz"]


def write(path, number=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(POINTER.format(f"{number:064x}"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_one(tmp_path, name):
    write(tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: is a pointer of Git LFS.*git lfs pull"):
        allotrope.read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".png", ".txt", ".nii.gz", ".dcm"])
def test_class_folders_of_them(tmp_path, suffix):
    for number in range(24):
        write(tmp_path / f"class{number % 2}" / f"{number}{suffix}", number)
    with pytest.raises(DataError, match=r"class0/0\S*, .* and 19 more: each is a pointer of Git"):
        allotrope.read(tmp_path)


def test_some_among_pictures_are_named(tmp_path):
    for number in range(24):
        folder = tmp_path / f"class{number % 2}"
        folder.mkdir(exist_ok=True)
        picture = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(picture).save(folder / f"{number}.png")
    write(tmp_path / "class0" / "missing.png")
    with pytest.raises(DataError, match=r"class0/missing\.png: each is a pointer of Git LFS"):
        allotrope.read(tmp_path)


def test_what_is_none_is_said_as_before(tmp_path):
    (tmp_path / "a.csv").write_text("version of https://git-lfs,b\n1,2\n")
    assert not is_pointer(tmp_path / "a.csv") and not is_pointer(tmp_path)
    with pytest.raises(DataError) as error:
        allotrope.read(tmp_path / "a.csv")
    assert "pointer" not in str(error.value)
