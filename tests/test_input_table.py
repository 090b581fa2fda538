"""Rows of tables: numbers, categories and dates, of which nodes make features."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.errors import DataError, UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.from_facts import input_of
from allotrope.inputs.mixture import MixedColumns, Mixture
from allotrope.inputs.table.table import Table
from allotrope.network.build import Builder
from allotrope.network.rewriting.chained import chained

ROWS = np.array([[1, 10, 5], [3, np.nan, 5], [5, 30, 5]], np.float32)
INPUT = Table(name="table", columns=("age", "height", "constant")).fitted(ROWS)
CITIES = ("Bern", "Rom")
MIXED = Table(
    name="table",
    columns=("size", "city", "day"),
    categories=((), CITIES, ()),
    dates=("", "", "%d/%m/%Y"),
)


def passing(features, name="table"):
    """A network that gives what it takes."""
    build = Builder("passing")
    build.output(build.add("Identity", [build.input(name, np.float32, ("n", features))]), "y")
    return build.network()


def clipped(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_numbers_are_scaled_robustly_and_clipped_smoothly(framework):
    rows = np.concatenate([ROWS, [[np.inf, -1e30, 1e30]]]).astype(np.float32)
    y = INPUT.prepare(passing(4)).run({"table": rows}, framework)["y"]
    # The quartiles are 2 and 4, 15 and 25; what is missing is the median, and said behind.
    expected = [[clipped(-1), clipped(-1), 0, 0], [0, 0, 0, 1], [clipped(1), clipped(1), 0, 0]]
    assert np.allclose(y, [*expected, [3, -3, 0, 0]], atol=1e-5)
    assert np.allclose(np.stack([*INPUT.numbers_seen(rows)], 1), y[:, :3], atol=1e-5)


def test_categories_are_flags_and_what_was_never_seen_has_none(framework):
    codes = np.array([[1, 1], [1, 2], [2, 2], [np.nan, 1], [3, 2], [3, 1]], np.float32)
    two = Table(name="table", columns=("a", "b"), categories=(("x", "y", "z", "rare"), CITIES))
    fitted = two.fitted(codes)
    assert fitted.levels == ((1, 3), (1, 2)) and fitted.missing == (0,)
    rows = np.array([[1, 2], [0, 1], [np.nan, np.nan], [2, 9]], np.float32)
    y = fitted.prepare(passing(5)).run({"table": rows}, framework)["y"]
    # Missing, then x and z, then both cities; y is too rare, and 9 is no city.
    assert y.tolist() == [[0, 1, 0, 0, 1], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_what_is_missing_only_later_is_the_median():
    whole = Table(name="table", columns=("a", "b")).fitted(ROWS[[0, 2], :2])
    row = np.array([[np.nan, 20]], np.float32)
    assert np.allclose(whole.prepare(passing(2)).run({"table": row})["y"], 0)


def test_rows_of_categories_and_dates_are_read_and_shown():
    row = MIXED.read("1.5,Rom,01/02/1970")
    assert row.tolist() == [1.5, 2, 31]
    assert MIXED.show(row).cells == (("size", "1.5"), ("city", "Rom"), ("day", "1970-02-01"))
    assert MIXED.read("1,Oslo,")[1] == 0
    assert "1 number (size); 1 date (day); 1 category (city)" in MIXED.described(row[None])
    assert input_of(MIXED.facts()) == MIXED
    with pytest.raises(DataError, match="expected 3 cells"):
        MIXED.read("1,Rom,1970-02-01")


def test_a_code_is_never_blended():
    rows = np.array([[1, 1, 0], [3, 2, 10]], np.float32)
    mixture = Mixture(np.array([1, 0]), np.array([0.75, 0.25], np.float32))
    assert MIXED.mixed(rows, mixture).tolist() == [[1.5, 1, 2.5], [1.5, 1, 2.5]]


def test_a_network_that_takes_something_else_is_refused():
    with pytest.raises(UsageError, match=r"float32 \[n, 4\]; this network takes 'x' float32"):
        INPUT.prepare(passing(4, "x"))
    with pytest.raises(UsageError, match=r"takes 'table' float32 \('n', 3\)"):
        INPUT.prepare(passing(3))


def test_rows_are_read_and_shown():
    row = INPUT.read("3, ,5.5")
    assert row[0] == 3 and np.isnan(row[1]) and row[2] == 5.5
    assert INPUT.show(row).cells == (("age", "3"), ("height", ""), ("constant", "5.5"))
    for wrong in ("1,2", "1,2,x"):
        with pytest.raises(DataError, match=r"expected 3 numbers .* for age, height, constant"):
            INPUT.read(wrong)


def test_mixup_blends_rows():
    mixture = Mixture(np.array([2, 1, 0]), np.array([0.75, 1, 1], np.float32))
    assert np.array_equal(INPUT.mixed(ROWS, mixture)[0], [2, 15, 5])
    drawn = [
        type(INPUT.draw_mixture(3, np.random.default_rng(seed), Augmentation(mixup=0.2, cutmix=1)))
        for seed in range(20)
    ]
    assert set(drawn) == {Mixture, MixedColumns} and 4 < drawn.count(Mixture) < 16


def test_columns_of_another_row_bring_their_share_of_its_label():
    mixture = INPUT.draw_mixture(200, np.random.default_rng(0), Augmentation(cutmix=1.0))
    rows = np.arange(600, dtype=np.float32).reshape(200, 3)
    mixed, other = INPUT.mixed(rows, mixture), rows[mixture.other]
    own = (mixed == rows) & (rows != other)
    moved = mixture.other != np.arange(200)
    np.testing.assert_allclose(own[moved].mean(axis=1), mixture.share[moved], atol=1e-6)
    assert ((mixed == rows) | (mixed == other)).all()
    labels = np.eye(2, dtype=np.float32)[np.arange(200) % 2]
    np.testing.assert_allclose(mixture.targets(labels).sum(axis=1), 1, atol=1e-6)
    # Of another table it is known how much is new, and not which columns.
    single = Table(name="single", columns=("only",))
    blended = single.mixed(rows[:, :1], mixture)
    np.testing.assert_allclose(blended, mixture.blended(rows[:, :1]))


def test_networks_in_a_chain_and_side_by_side():
    def scaling(name, factor, output):
        build = Builder(name)
        x = build.input(name, np.float32, ("n", 2))
        weight = build.weight(f"{name}.weight", np.full(2, factor, np.float32))
        build.output(build.add("Mul", [x, weight], name="inner"), f"{name}.inner")
        build.output(build.add("Identity", [f"{name}.inner"], name="same"), output)
        return build.network()

    x = np.ones((1, 2), np.float32)
    chain = chained(scaling("a", 2, "b"), scaling("b", 3, "y"))
    assert [value.name for value in chain.inputs] == ["a"]
    assert np.array_equal(chain.run({"a": x})["y"], 6 * x)
    beside = chained(scaling("a", 2, "y"), scaling("b", 3, "z"))
    assert np.array_equal(beside.run({"a": x, "b": x})["z"], 3 * x)
    assert beside.trainable == {"a.weight", "b.weight"}
    with pytest.raises(UsageError, match=r"both have 'a', 'a.inner', 'a.weight'"):
        chained(scaling("a", 2, "y"), scaling("a", 3, "z"))


def test_dates_stand_in_the_week_the_year_and_the_day(framework):
    days = np.array([20418.0, 20419.25, 20424.5, np.nan, 20418 + 800], np.float32)
    rows = np.stack([days, np.arange(5, dtype=np.float32)], 1)
    dated = Table(name="table", columns=("day", "size"), dates=("iso", "")).fitted(rows)
    assert dated.cycles == ((0, 7.0), (0, 365.2425), (0, 1.0)) and dated.features == 2 + 1 + 6
    y = dated.prepare(passing(9)).run({"table": rows}, framework)["y"]
    turns = np.stack([days / period for _, period in dated.cycles], 1).astype(np.float64)
    expected = np.concatenate([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], 1)
    np.testing.assert_allclose(y[:, 3:], np.nan_to_num(expected), atol=5e-3)
    np.testing.assert_allclose(dated.with_cycles(rows)[:, 2:], expected, atol=5e-3)
    whole = dated.with_cycles_before(passing(8, "rows"), "rows")
    np.testing.assert_allclose(
        whole.run({"table": rows}, framework)["y"], dated.with_cycles(rows), atol=5e-3
    )
    # A week of days tells nothing of years, and whole days nothing of hours.
    short = Table(name="table", columns=("day",), dates=("iso",)).fitted(rows[:1, :1] + [[0], [15]])
    assert short.cycles == ((0, 7.0),)
