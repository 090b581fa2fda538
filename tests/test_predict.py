"""`predict` runs what a run delivered; a picture that cannot be read is a row with its reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allotrope import networks, predict
from allotrope.cli import main
from allotrope.delivery.deliver import predict_program
from allotrope.delivery.finished import columns_before
from allotrope.errors import DataError, RunFolderError, UsageError
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.run import Run
from softmaxed import with_probabilities

CLASSES = ("cat", "dog", "eel")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that delivered a small network for colour pictures of 8 x 8."""
    network = networks.mlp(classes=3, image=(3, 8, 8), seed=1)
    network = with_probabilities(with_preprocessing(network, [127.5] * 3, [64.0] * 3), CLASSES)
    with Run.create("animals", tmp_path_factory.mktemp("runs")) as run:
        (run.folder / "delivered").mkdir()
        network.save(run.folder / "delivered" / "model.onnx")
        delivered = {
            "runtime": "onnxruntime",
            "precision": "float32",
            "file": "delivered/model.onnx",
        }
        run.save(delivered=delivered, data={"classes": CLASSES, "image": (3, 8, 8)})
    return run.folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, one in a folder below, and two files that are none."""
    random = np.random.default_rng(0)
    (tmp_path / "more").mkdir()
    for name in ("a.png", "b.jpg", "more/c.bmp"):
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_a_picture_gets_what_the_network_says(run_folder: Path, pictures: Path):
    import allotrope

    network = allotrope.load(run_folder / "delivered" / "model.onnx")
    expected = network.run({"image": np.asarray(Image.open(pictures / "a.png"))[None]})[
        "probabilities"
    ][0]
    (row,) = predict(run_folder, pictures / "a.png", threads=1).json
    probabilities = {guess["class"]: guess["probability"] for guess in row["top"]}
    np.testing.assert_allclose([probabilities[name] for name in CLASSES], expected, rtol=1e-4)
    assert [guess["probability"] for guess in row["top"]] == sorted(
        probabilities.values(), reverse=True
    )


def test_a_folder_is_all_its_pictures_and_a_broken_one_is_a_row(run_folder: Path, pictures: Path):
    answers = predict(run_folder, pictures, top=2, threads=1)
    assert [Path(row["file"]).name for row in answers.json] == [
        "a.png",
        "b.jpg",
        "broken.png",
        "c.bmp",
    ]
    assert [len(row.get("top", ())) for row in answers.json] == [2, 2, 0, 2]
    assert answers.json[2]["reason"]
    assert answers.exit_code == 1
    assert f"{pictures / 'broken.png'}  cannot be read: " in str(answers)


def test_rows_and_pictures_do_not_slip(run_folder: Path, pictures: Path):
    alone = [
        predict(run_folder, pictures / name, threads=1).json[0] for name in ("a.png", "more/c.bmp")
    ]
    rows = predict(
        run_folder,
        pictures / "a.png",
        pictures / "broken.png",
        pictures / "gone.png",
        pictures / "more/c.bmp",
        threads=1,
    ).json
    assert [rows[0]["top"][0]["class"], rows[3]["top"][0]["class"]] == [
        row["top"][0]["class"] for row in alone
    ]
    assert rows[2]["reason"] == "no such file"
    assert rows[0]["top"][0]["probability"] != rows[3]["top"][0]["probability"]


def test_deep_pictures_are_read_by_the_range_that_was_trained_on(run_folder: Path, tmp_path: Path):
    values = np.random.default_rng(0).integers(0, 4081, (8, 8)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray(np.rint(values * (255 / 4080)).astype(np.uint8)).save(tmp_path / "plain.png")
    (unknown,) = predict(run_folder, tmp_path / "deep.png", threads=1).json
    assert "more than 8 bits a channel" in unknown["reason"]
    with Run.resume(run_folder) as run:
        data = run.json["data"]
        run.save(data={**data, "summary": {"value_range": [0.0, 4080.0]}})
    deep, plain = (
        row["top"]
        for row in predict(
            run_folder, tmp_path / "deep.png", tmp_path / "plain.png", threads=1
        ).json
    )
    assert deep == plain
    with Run.resume(run_folder) as run:
        run.save(data=data)


def test_the_delivered_program_reads_deep_pictures_the_same_way(run_folder: Path, tmp_path: Path):
    values = np.random.default_rng(0).integers(0, 4081, (8, 8)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray(np.rint(values * (255 / 4080)).astype(np.uint8)).save(tmp_path / "plain.png")
    row = {"runtime": "onnxruntime", "precision": "float32"}
    for value_range in (None, (0.0, 4080.0)):
        program = run_folder / "delivered" / "predict.py"
        data = {"classes": CLASSES, "image": (3, 8, 8), "summary": {"value_range": value_range}}
        program.write_text(predict_program(row, "model.onnx", columns_before(data)))
        command = [
            sys.executable,
            program,
            tmp_path / "deep.png",
            tmp_path / "plain.png",
            "--json",
            "--threads",
            "1",
        ]
        deep, plain = json.loads(
            subprocess.run(command, capture_output=True, text=True, check=False).stdout
        )
        if value_range is None:
            assert "more than 8 bits a channel" in deep["reason"]
        else:
            assert deep["top"] == plain["top"]


def test_on_the_command_line(run_folder: Path, pictures: Path, capsys):
    assert (
        main(["predict", str(run_folder), str(pictures / "a.png"), "--json", "--threads", "1"]) == 0
    )
    assert {guess["class"] for guess in json.loads(capsys.readouterr().out)[0]["top"]} == set(
        CLASSES
    )
    assert main(["predict", str(run_folder), str(pictures / "gone.png"), "--threads", "1"]) == 1
    assert "cannot be read: no such file" in capsys.readouterr().out
    assert main(["predict", str(run_folder)]) == 2


def test_what_cannot_be_asked(run_folder: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="no example is named"):
        predict(run_folder)
    with pytest.raises(UsageError, match="top is 0"):
        predict(run_folder, "a.png", top=0)
    with pytest.raises(DataError, match=r"no picture is in .*\.jpg"):
        predict(run_folder, tmp_path)
    with pytest.raises(RunFolderError, match="no run folder"):
        predict(tmp_path, "a.png")


def test_a_run_that_delivered_nothing(tmp_path: Path):
    with Run.create("x", tmp_path) as run:
        run.save(status="target-missed", delivered=None)
    with pytest.raises(RunFolderError, match=r"delivered no file .its status is 'target-missed'"):
        predict(run.folder, "a.png")
    run.json["data"] = {"classes": CLASSES, "image": (3, 8, 8)}
    run.save(
        delivered={"runtime": "onnxruntime", "precision": "float32", "file": "delivered/model.onnx"}
    )
    with pytest.raises(RunFolderError, match="is gone"):
        predict(run.folder, "a.png")
