"""Files of labelled lines that lie in a folder of nothing else to learn from."""

from __future__ import annotations

from pathlib import Path

from allotrope.data.sources.lines.read_lines import may_be_lines
from allotrope.data.sources.split_files import SplitFiles, split_files, visible_files


def lines_to_read(folder: Path) -> SplitFiles:
    """The files of lines by split, none if no name of a file right in the folder says one."""
    return split_files(visible_files(folder, may_be_lines))
