"""Tables of rows: what columns become and why, headers, labels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.errors import AllotropeError

COUNT = 60
RANDOM = np.random.default_rng(0)
NUMBERS = np.round(RANDOM.normal(0, 3, COUNT), 3)
LABELS = np.where(NUMBERS > 0, "yes", "no")


def table(folder, columns, name="some.csv", header=True, separator=","):
    folder.mkdir(exist_ok=True)
    rows = [separator.join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    if header:
        rows.insert(0, separator.join(columns))
    (folder / name).write_text("\n".join(rows) + "\n")
    return folder / name


def read(folder, columns, target="label", **options):
    columns = {"a": NUMBERS, **columns, "label": LABELS}
    data = allotrope.read(table(folder, columns), target=target, **options)
    return data, "\n".join(data.summary["notes"])


def refused(source, **options):
    with pytest.raises(AllotropeError) as caught:
        allotrope.read(source, **options)
    return str(caught.value)


CITIES = np.array(["Bern", "?", "New York"])[np.arange(COUNT) % 3]


def test_categories_have_codes_and_what_is_missing_is_nan(tmp_path):
    data, notes = read(tmp_path, {"city": CITIES})
    (inner,) = data.inputs
    assert inner.columns == ("a", "city") and inner.categories == ((), ("Bern", "New York"))
    codes = np.concatenate([split["table"][:, 1] for split in data.splits.values()])
    assert np.count_nonzero(np.isnan(codes)) == 20 and set(codes[~np.isnan(codes)]) == {1, 2}
    assert "'city' is an input (categorical)" in notes and "--input city=none" in notes


def test_rare_categories_share_the_code_of_those_never_seen(tmp_path):
    frequent = ["12345", "01234"] * (COUNT // 2)
    zips = ["00000", "00001", "00002", *frequent[3:-1], "12345"]
    data, notes = read(tmp_path, {"zip": zips}, input="zip=categorical")
    assert data.inputs[0].categories[1] == ("12345", "01234")
    assert "3 of 5 categories of 'zip' are rare" in notes


@pytest.mark.parametrize(
    ("cells", "first", "input"),
    [
        (["2026-11-26", "2026-11-27"], 20783, None),
        (["2026-11-26T12:00:00Z", "2026-11-27T00:00:00+01:00"], 20783.5, None),
        (["26.11.2026", "01.02.2026"], 20783, None),
        (["26/11/2026", "01/02/2026"], 20783, None),
        (["11/26/2026", "01/02/2026"], 20783, None),
        (["03/02/1970", "01/02/1970"], 33, "day=date-day-first"),
        (["03/02/1970", "01/02/1970"], 60, "day=date-month-first"),
        (["26 Nov 2026 06:00", "27 Nov 2026 18:30"], 20783.25, None),
    ],
)
def test_dates_are_days(tmp_path, cells, first, input):
    data, notes = read(tmp_path, {"day": np.array(cells)[np.arange(COUNT) % 2]}, input=input)
    values = {float(x) for split in data.splits.values() for x in split["table"][:, 1]}
    assert first in values and len(values) == 2
    assert "'day' is an input (date" in notes


def test_orders_of_days_that_nothing_tells_are_asked_for_all_at_once(tmp_path):
    halves = np.arange(COUNT) % 2
    day, due = np.array(["03/02/1970", "01/02/1970"]), np.array(["03-02-1970", "04-05-1971"])
    cells = {"day": day[halves], "due": due[halves]}
    message = refused(table(tmp_path, {**cells, "label": LABELS}), target="label")
    assert "--input day=date-day-first" in message and "--input due=date-month-first" in message
    mixed = np.array(["2026-11-26", "26.11.2026"])[np.arange(COUNT) % 2]
    message = refused(table(tmp_path, {"day": mixed, "label": LABELS}), target="label")
    assert "'day' are written in several forms: 1 as iso, 1 as %d.%m.%Y" in message


def test_what_tells_nothing_is_left_out_and_said(tmp_path):
    columns = {
        "id": np.arange(COUNT),
        "same": [5] * COUNT,
        "empty": [""] * COUNT,
        "name": [f"person{row * 7}" for row in range(COUNT)],
    }
    data, notes = read(tmp_path, columns)
    assert data.inputs[0].columns == ("a",)
    for said in (
        "'id' is left out: it looks like an id",
        "'same' is left out: it holds one value in all rows",
        "'empty' is left out: it holds nothing in any row",
        "'name' is left out: nearly every row has another text",
    ):
        assert said in notes


def test_many_columns_of_one_kind_take_one_line(tmp_path):
    many = {f"x{place}": np.round(RANDOM.normal(size=COUNT), 2) for place in range(30)}
    _, notes = read(tmp_path, many)
    assert "'a', 'x0', 'x1', 'x2', 'x3', 'x4' and 25 more are inputs (number)" in notes


def test_a_table_without_header_is_told_and_its_columns_are_numbered(tmp_path):
    columns = {"a": NUMBERS, "b": NUMBERS**2, "c": LABELS}
    path = table(tmp_path, columns, header=False)
    data = allotrope.read(path, target="col3")
    assert data.inputs[0].columns == ("col1", "col2")
    assert sum(map(len, data.splits.values())) == COUNT
    assert "has no header: its first row holds numbers as the others do" in str(data)
    years = {"2024": NUMBERS, "2025": NUMBERS**2, "label": LABELS}
    data = allotrope.read(table(tmp_path, years), target="label")
    assert data.inputs[0].columns == ("2024", "2025")


def test_tables_of_a_folder_are_splits_and_labels_but_for_a_dot_are_the_same(tmp_path):
    folder = tmp_path / "set"
    columns = {"a": NUMBERS, "b": NUMBERS**2, "c": LABELS}
    table(folder, columns, "adult-train.csv", header=False, separator=", ")
    dotted = {**columns, "c": [f"{label}." for label in LABELS]}
    table(folder, dotted, "adult-test.csv", header=False, separator=", ")
    data = allotrope.read(folder, target="col3")
    assert len(data.test) == COUNT and data.tasks[0].classes == ("no", "yes")
    assert np.array_equal(data.test["col3"], LABELS == "yes")
    assert "labels of test are spelled otherwise and were read so: 'no.' as 'no'" in str(data)
    table(folder, {**columns, "c": ["maybe", *LABELS[1:]]}, "adult-test.csv", header=False)
    message = refused(folder, target="col3")
    assert "test: maybe" in message and "Expected some of 'no', 'yes'" in message


def test_several_targets_of_0_and_1_are_labels_of_one_task(tmp_path):
    flags = {"red": (NUMBERS > 0).astype(int), "big": (NUMBERS**2 > 4).astype(int)}
    path = table(tmp_path, {"a": NUMBERS, **flags})
    data = allotrope.read(path, target="red,big")
    assert [(task.name, task.kind) for task in data.tasks] == [("labels", "multilabel")]
    assert data.tasks[0].labels == ("red", "big") and data.train["labels"].shape[1] == 2
    assert "--task red=classification keeps all apart" in str(data)
    apart = allotrope.read(path, target="red,big", task="red=classification")
    assert [task.name for task in apart.tasks] == ["red", "big"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,label\n1,x\n2\n3,y\n", {}, ["line 3 has 1", "the first has 2 cells"]),
        ("a,a,label\n1,2,x\n3,4,y\n", {}, ["several columns are called 'a'"]),
        (
            "a,label\n1,x\n",
            {"target": "lable"},
            ["no column 'lable' (did you mean 'label'?)", "'a' (numbers)"],
        ),
        ("a,b\n1,x\n2,y\n", {"target": None}, ["which column is to be predicted", "--target NAME"]),
        (
            "a,label\n1,x\n=A1+1,y\n3,x\n4,y\n",
            {},
            ["'=A1+1' (line 3)", "--input a=", "--skip-bad-rows"],
        ),
        ("a,label\n1,x\ninf,y\n1e99,x\n2,y\n", {}, ["'inf' (line 3), '1e+99' (line 4)", "Mend"]),
        ("a:b\n1:x\n2:y\n", {"target": "b"}, ["a single column, in which ':' may part cells"]),
        ("same,label\n1,x\n1,y\n1,x\n", {}, ["no column is left", "--input NAME="]),
    ],
)
def test_what_cannot_be_learned_from_says_why(tmp_path, text, options, words):
    (tmp_path / "bad.csv").write_text(text)
    message = refused(tmp_path / "bad.csv", **{"target": "label", **options})
    for word in words:
        assert word in message


def test_a_column_that_tells_the_answer_is_pointed_out(tmp_path):
    codes = np.where(LABELS == "yes", "Q7", "R2")
    _, notes = read(tmp_path, {"code": codes, "city": CITIES})
    assert "'code' alone tells 'label' (100.0%)" in notes and "--input code=none" in notes
    assert "'city' alone" not in notes


def test_ten_thousand_columns_are_read(tmp_path):
    wide = {f"x{place}": np.arange(COUNT) % 7 for place in range(10_000)}
    data, notes = read(tmp_path, wide)
    assert data.inputs[0].value().shape == ("n", 10_001)
    assert "and 9,995 more are inputs (number)" in notes and len(notes) < 3000


def test_of_many_columns_those_that_tell_the_answer_are_found(tmp_path):
    random = np.random.default_rng(0)
    many = {f"c{place}": random.standard_normal(400) for place in range(350)}
    labels = np.where(many["c7"] + many["c8"] > 0, "yes", "no")
    told = {**many, "code": np.where(labels == "yes", 3, 8) + 10 * random.integers(0, 4, 400)}
    data = allotrope.read({**told, "label": labels}, target="label")
    assert "'code' alone tells 'label'" in str(data) and "'c7' alone" not in str(data)
    price = np.where(many["c7"] > 0, 5.5, 2.25)
    data = allotrope.read({**many, "price": price}, target="price", task="price=regression")
    assert "'c7' alone tells 'price'" in str(data) and "'c8' alone" not in str(data)
