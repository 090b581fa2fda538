"""Reads a source and makes of it what a training takes: inputs, tasks and splits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from allotrope.config import DataOptions, parse_cache_size, parse_value_range
from allotrope.data.asked_columns import Kinds, asked_kinds, asked_names
from allotrope.data.duplicates import find_duplicates
from allotrope.data.examples import SPLITS, UNLABELLED, Data
from allotrope.data.file_text import checked_encoding
from allotrope.data.leaks import leak_notes
from allotrope.data.number_forms import MARKS
from allotrope.data.reading import Reading
from allotrope.data.recognize.column_roles import INPUT_KINDS, TASK_KINDS
from allotrope.data.sources.choose_reader import read_source
from allotrope.data.sources.frames.data_frames import columns_in_memory
from allotrope.data.splits import complete_splits
from allotrope.data.store.row_file import SpoiledStore
from allotrope.data.store.store_folder import discard
from allotrope.data.summary import summarize, summary_lines
from allotrope.data.synonyms_file import with_synonyms
from allotrope.data.unlabelled import check_apart, check_without_labels
from allotrope.errors import unknown_name
from allotrope.tasks.several import METRICS, check_labels, decisive, with_metrics
from allotrope.wording import agreeing, counted

Source = str | Path | Mapping[str, Any]
Report = Callable[[str], None]
BLANK_LISTED = 5


def read(
    source: Source,
    *,
    report: Report | None = None,
    target: Sequence[str] | str | None = None,
    task: Kinds = None,
    input: Kinds = None,
    group: str | None = None,
    time: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    skip_bad_rows: bool = False,
    decide: str | None = None,
    metric: Kinds = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    image_size: int | None = None,
    layout: str = "auto",
    value_range: str | tuple[float, float] | None = None,
    scan_values: str = "auto",
    cache_size: str | int | None = None,
    workers: int | None = None,
) -> Data:
    """What `fit` makes of a source, as a value to look at; printed, it is a summary.

    Args:
        source: 'digits', a path (docs/data.md), a data frame, or a mapping of arrays by column,
            {"image": x, "age": y}, or by split, {"train": {…}, "test": {…}}.
        report: is told each line of the summary, and how far a long reading is.
        target: the columns to predict.
        task: kinds of tasks by column: classification, multilabel or regression.
        input: kinds of inputs by column, such as image, text or categorical; none leaves it out.
        group: a column of which no value may stand in two splits.
        time: a column of numbers or dates: the test is the latest part.
        encoding: that of texts and tables, if not what each file shows.
        decimal: what parts decimals in texts, point or comma, if a table can be read in two ways.
        skip_bad_rows: leave out rows that cannot be read, and name them.
        decide: of several tasks the one whose metric decides; by default the first.
        metric: metrics by task, such as side=macro_f1, if not the usual one.
        validation: the fraction split off for choices, if the source brings no such split.
        test: the fraction split off for the final test, if the source brings no such split.
        seed: decides the split.
        image_size: the side in pixels to which picture files are brought.
        layout: how folders are read, one of `config.FOLDER_LAYOUTS`.
        value_range: the values that are black and white, such as 0:4095.
        scan_values: of volumes, one of `config.SCAN_VALUES`.
        cache_size: how much decoded examples may take on disk, such as 50GB; 0 puts none there.
        workers: threads that decode pictures; all cores by default.

    Raises: DataError if the source cannot be read or learned from; UsageError for options that do
    not fit it.
    """
    if isinstance(value_range, str):
        value_range = parse_value_range(value_range)
    kinds = {
        "task": asked_kinds("task", task, TASK_KINDS),
        "input": asked_kinds("input", input, INPUT_KINDS),
        "metric": asked_kinds("metric", metric, METRICS),
    }
    splits: dict[str, Any] = {"validation": validation, "test": test, "seed": seed}
    pictures: dict[str, Any] = {"image_size": image_size, "workers": workers, "layout": layout}
    columns: dict[str, Any] = {"decide": decide, "group": group, "time": time, **kinds}
    columns |= {"decimal": decimal, "skip_bad_rows": skip_bad_rows}
    columns["encoding"] = checked_encoding(encoding)
    if decimal is not None and decimal not in MARKS:
        raise unknown_name("mark of decimals", decimal, MARKS)
    size = None if cache_size is None else parse_cache_size(cache_size)
    options = DataOptions(
        target=asked_names(target),
        value_range=value_range,
        scan_values=scan_values,
        cache_size=size,
        **splits,
        **pictures,
        **columns,
    )
    return read_data(source, options, report or (lambda line: None))


def read_data(
    source: Source, options: DataOptions | None = None, report: Report = lambda line: None
) -> Data:
    """As `read`, with the options as one value.

    Raises: DataError, UsageError.
    """
    options = options or DataOptions()
    source = columns_in_memory(source)
    try:
        return _read(source, options, report)
    except SpoiledStore as error:
        # Every example was looked at: what was decoded before and has changed since is found here.
        report(f"{error.folder} cannot be used ({error.reason}): decoding anew")
        discard(error.folder)
        return _read(source, options, report)


def _read(source: Source, options: DataOptions, report: Report) -> Data:
    began = time.perf_counter()
    reading = read_source(source, options, report)
    check_without_labels(reading)
    in_own_place = UNLABELLED in reading.splits
    complete_splits(reading, options)
    check_apart(reading, in_own_place)
    if options.synonyms is not None:
        with_synonyms(reading, options.synonyms)
    duplicates = find_duplicates(reading)
    if duplicates.relabelled:
        reading.notes.append(
            f"{duplicates.relabelled} of the duplicates across splits carry different labels"
        )
    reading.notes.extend(_blank_notes(reading))
    reading.notes.extend(leak_notes(reading))
    train = reading.splits["train"]
    inputs = tuple(each.fitted(train[each.name]) for each in reading.inputs)
    tasks = with_metrics(reading.tasks, options.metric)
    columns = {name: reading.splits[name].columns for name in SPLITS}
    check_labels(tasks, [each.name for each in inputs], columns)
    tasks, line = decisive(tasks, options.decide)
    if line:
        reading.notes.append(line)
    summary = summarize(reading, duplicates, time.perf_counter() - began)
    data = Data(reading.name, inputs, tasks, reading.splits, summary)
    data = replace(data, lines=tuple(summary_lines(data)))
    for line in data.lines:
        report(line)
    return data


def _blank_notes(reading: Reading) -> list[str]:
    """A line for each split that holds examples of a single value, with the first of them."""
    notes = []
    for each in reading.inputs:
        for name in SPLITS:
            split = reading.splits[name]
            rows = each.blank(split[each.name])
            if len(rows):
                titles = ", ".join(split.title(row, name) for row in rows[:BLANK_LISTED])
                notes.append(
                    f"{counted(len(rows), reading.noun)} of {name} "
                    f"{agreeing(len(rows), 'is', 'are')} of a single value: {titles}"
                )
    return notes
