"""`fit` with a network that takes tokens: what is delivered, and whether it makes the same ids."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from allotrope import predict
from allotrope.delivery.kept_tokenizer import check_same_ids, compared_ids
from allotrope.errors import DataError, ModelError
from quick import fit
from small_bert import bert_folder, byte_pairs, wordpiece
from test_fit_texts import lines
from test_tokens import STRANGE, further, texts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    for split, count in (("train", 240), ("dev", 40), ("test", 40)):
        (folder / f"{split}.txt").write_text(lines(count, len(split)))
    network = tmp_path_factory.mktemp("network")
    file = bert_folder(network)
    chosen = {"optimizer": "adamw", "learning_rate": 0.01, "batch_size": 20}
    # No race of settings: a busy machine may find that bfloat16 is faster, and learn otherwise.
    chosen |= {"precision": "float32", "memory_layout": "default", "compile": False}
    made = fit(
        folder, network=str(file), epochs=16, out=network / "runs", quiet=True, threads=1, **chosen
    )
    # Whatever follows needs only what is in the run's folder.
    shutil.rmtree(folder)
    file.unlink()
    (network / "tokenizer.json").unlink()
    return made


def answers(rows):
    return [row["answers"]["label"]["top"] for row in rows]


def test_the_delivered_folder_answers_texts_with_its_tokenizer_beside(run, tmp_path):
    (tmp_path / "new.csv").write_text("id,text\n1,a lovely superb sea\n2,dull dreadful friends\n")
    (tmp_path / "new.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in STRANGE))
    asked = ["a superb film", str(tmp_path / "new.csv"), str(tmp_path / "new.jsonl")]
    rows = predict(run.folder, *asked).json
    classes = [row["answers"]["label"]["class"] for row in rows]
    assert classes[:3] == ["good", "good", "bad"] and len(rows) == 3 + len(STRANGE)
    program = [sys.executable, str(run.folder / "delivered" / "predict.py"), "--json", *asked]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert answers(json.loads(done.stdout)) == answers(rows)
    alone = run.predict({"text": np.array(["dull dreadful friends"])})
    assert alone["label"].tolist() == ["bad"]
    expected = rows[2]["answers"]["label"]["probability"]
    assert alone.probabilities["label"].max() == pytest.approx(expected, abs=1e-5)


def test_the_record_says_what_the_network_takes_and_that_ids_are_the_same(run):
    assert run.json["delivered"]["same_ids"] == 320
    (tokens,) = run.json["data"]["inputs"]
    assert (tokens["kind"], tokens["longest"], tokens["padding"]) == ("tokens", 48, 0)
    assert (run.folder / "tokenizer.json").is_file()
    assert run.json["test"]["accuracy"] > 0.9
    # The report shows texts, and no numbers of tokens.
    shown = [cell["value"] for each in run.json["test"]["mistakes"] for cell in each["cells"]]
    assert all(" " in text and not text[0].isdigit() for text in shown)


def test_another_tokenizer_beside_the_network_is_found(run, tmp_path):
    planted = tmp_path / "delivered"
    shutil.copytree(run.folder / "delivered", planted)
    texts_asked = ["a superb film", "dull"]
    tokenizer = wordpiece()
    trained = [tokenizer.encode(text).ids for text in texts_asked]
    assert not compared_ids("text", texts_asked, trained, planted).differing
    # The same words with two of their ids the other way round.
    whole = json.loads((planted / "tokenizer.json").read_text())
    words = whole["model"]["vocab"]
    words["film"], words["sea"] = words["sea"], words["film"]
    (planted / "tokenizer.json").write_text(json.dumps(whole))
    assert compared_ids("text", texts_asked, trained, planted).differing == (0,)
    (planted / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"makes no ids of texts.*tokenizer.json.*bring back"):
        compared_ids("text", texts_asked, trained, planted)


def test_a_wrong_tokenizer_ends_the_delivery(run, tmp_path):
    planted = tmp_path / "delivered"
    shutil.copytree(run.folder / "delivered", planted)
    data, _ = further(bert_folder(tmp_path), texts())
    columns = {name: split.columns for name, split in data.splits.items()}
    assert check_same_ids(data.inputs, columns, planted).compared == 60
    byte_pairs().save(str(planted / "tokenizer.json"))
    with pytest.raises(ModelError, match=r"other ids than training did of 60 of 60 texts: '"):
        check_same_ids(data.inputs, columns, planted)


def test_a_run_whose_tokenizer_is_gone_says_so(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    (folder / "delivered" / "tokenizer.json").write_text('{"version": "1.0", "mod')
    with pytest.raises(DataError, match=r"tokenizer.json: holds no tokenizer.*bring back"):
        predict(folder, "dull")


def test_without_the_package_predict_py_names_it(run):
    program = str(run.folder / "delivered" / "predict.py")
    hidden = "import sys; sys.modules['tokenizers'] = None; import runpy; "
    called = f"sys.argv = ['predict.py', 'dull']; runpy.run_path({program!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", hidden + called], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs the package tokenizers: pip install tokenizers" in done.stderr
