"""The text of a file whose encoding nobody says: its marks, UTF-8, or what else it can only be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from allotrope.data.encodings import decoded, printable
from allotrope.errors import DataError, UsageError
from allotrope.wording import counted

USUAL = ("utf-8", "utf-8-sig")
SCRIPTS = {
    "gb18030": "Chinese",
    "big5": "Chinese",
    "cp932": "Japanese",
    "euc_jp": "Japanese",
    "cp949": "Korean",
    "cp1251": "Cyrillic",
    "koi8_r": "Cyrillic",
    "cp866": "Cyrillic",
    "iso8859_5": "Cyrillic",
    "cp1253": "Greek",
    "cp1255": "Hebrew",
    "cp1256": "Arabic",
    "cp874": "Thai",
}
"""Encodings of other scripts than Latin that systems wrote by default before UTF-8, or still do."""
LINE_ENDS = re.compile(r"\r\n|\r|\n")
TWO_BYTES = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
RUN = re.compile(rb"[\x80-\xff]{3,}")
WORD = re.compile(rb"[\x80-\xff](?:[\x40-\x7e]?[\x80-\xff])*[\x40-\x7e]?")
"""Characters beyond ASCII that stand together, of one byte or of two, of which the second may be
ASCII."""
LETTERS = 0xC0
"""From here on Windows-1252 has letters."""
OTHER_SCRIPT = 0.2
"""The part of bytes beyond ASCII that stand in long runs, from which on a script is not Latin."""
SAMPLE = 64_000
CHAOS, COHERENCE = 0.03, 0.08
"""Two readings that differ by less in both are equally plausible, in charset-normalizer's measures:
how strange neighbouring characters are, and how usual the letters are in a language."""
LISTED = 5
OVERRULED = "save it as UTF-8, or name its --encoding, if it looks wrong"


@dataclass(frozen=True)
class FileText:
    """The text, its encodings with how many lines each has, and the lines that are no UTF-8."""

    text: str
    encodings: Counter[str]
    others: Sequence[int] = ()

    @property
    def lines(self) -> list[str]:
        """Its lines without their ends."""
        lines = LINE_ENDS.split(self.text)
        return lines if lines[-1] else lines[:-1]

    def notes(self, path: Path) -> list[str]:
        """What of the encodings is not as usual."""
        return encoding_notes(path, self.encodings, self.others)


def encoding_notes(path: Path, encodings: Counter[str], others: Sequence[int]) -> list[str]:
    """What is said of encodings, with how many lines each has; `others` are the first no UTF-8."""
    strange = {name: lines for name, lines in encodings.items() if name not in USUAL}
    titles = ", ".join(map(titled, strange))
    if not strange:
        return []
    if len(encodings) == 1:
        return [f"'{printable(path.name)}' was read as {titles}; {OVERRULED}"]
    count = sum(strange.values())
    listed = ", ".join(map(str, others[:LISTED]))
    if count > LISTED:
        listed += f" and {count - LISTED:,} more"
    return [
        f"'{printable(path.name)}' has two encodings: it is UTF-8 but for "
        f"{counted(count, 'line')} ({listed}), read as {titles}; {OVERRULED}"
    ]


def titled(encoding: str) -> str:
    """The name, and the script that it is for."""
    return f"{encoding} ({SCRIPTS[encoding]})" if encoding in SCRIPTS else encoding


def checked_encoding(name: str | None) -> str | None:
    """The name. Raises: UsageError if it is that of no encoding of texts."""
    try:
        "".encode(name or "utf-8")
    except LookupError:
        raise UsageError(
            f"--encoding {name}: there is no such encoding of texts. Expected a name such as "
            "utf-8, cp1252, gb18030, big5, shift_jis, euc_kr or cp1251."
        ) from None
    return name


def file_text(path: Path, data: bytes, asked: str | None = None) -> FileText:
    """The text of a file, in the encoding that is `asked`, or that is found.

    Lines of two encodings may stand in one file: each is read by itself.

    Raises: DataError for bytes that are not of the encoding that is asked, or may be of several.
    """
    if asked is not None:
        return FileText(_as_asked(path, data, asked), Counter())
    text, encoding = decoded(data)
    if encoding.startswith("utf"):
        return FileText(text, Counter({encoding: 1}))
    lines = data.splitlines(keepends=True)
    others = [number for number, line in enumerate(lines, 1) if not _is_utf8(line)]
    # A character of another encoding may by chance be one of UTF-8: most lines decide.
    utf8 = sum(not line.isascii() for line in lines) - len(others)
    if utf8 < len(others):
        encoding = encoding_of(path, b"".join(lines[number - 1] for number in others))
        whole = _decoded_or_none(data, encoding)
        if whole is not None and (encoding in SCRIPTS or not utf8):
            return FileText(whole, Counter({encoding: 1}))
    pairs = [decoded(line) for line in lines]
    encodings = Counter(name for _, name in pairs)
    return FileText("".join(line for line, _ in pairs), encodings, others)


@dataclass
class FilesText:
    """Texts of files that are one source: those that are no UTF-8 are of one encoding."""

    folder: Path
    paths: Sequence[Path]
    asked: str | None = None

    def read(self, path: Path) -> tuple[str, str]:
        """The text of a file, and the encoding that was found; "utf-8" if one was asked.

        Raises: DataError as `file_text`.
        """
        data = path.read_bytes()
        if self.asked is not None:
            return _as_asked(path, data, self.asked), USUAL[0]
        text, encoding = decoded(data)
        if encoding.startswith("utf") or is_latin(data):
            return text, encoding
        read = _decoded_or_none(data, self._others)
        return (text, encoding) if read is None else (read, self._others)

    @cached_property
    def _others(self) -> str:
        """The encoding of those that are no UTF-8, by as many of them as tell it."""
        others, size = [], 0
        for path in self.paths:
            data = path.read_bytes()
            if not _is_utf8(data) and not is_latin(data):
                others.append(data)
                size += len(data)
            if size > SAMPLE:
                break
        return encoding_of(self.folder, b"\n".join(others))


def _as_asked(path: Path, data: bytes, asked: str) -> str:
    try:
        return data.decode(asked)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: is not {asked} in line {line} ({error.reason}). Leave out --encoding to have "
            "it found, or name another."
        ) from None


def _is_utf8(line: bytes) -> bool:
    return _decoded_or_none(line, "utf-8") is not None


def _decoded_or_none(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def encoding_of(path: Path, data: bytes) -> str:
    """The encoding of bytes that are no UTF-8: Windows-1252, or what the script shows.

    Raises: DataError if it may be one of several, or nothing known.
    """
    if is_latin(data):
        return decoded(data)[1]
    names = _plausible(data)
    if len(names) == 1:
        return names[0]
    may_be = f", and may be {' or '.join(map(titled, names))}" if names else ""
    raise DataError(
        f"{path}: is no UTF-8, and not Latin in Windows-1252{may_be}. Say with --encoding which it "
        "is, or save it as UTF-8."
    )


def is_latin(data: bytes) -> bool:
    """Whether bytes beyond ASCII stand alone among others, as letters with accents do."""
    runs = RUN.findall(data)
    # Marks such as quotes and dots may stand together, without a letter.
    long = [run for run in runs if any(byte >= LETTERS for byte in run)]
    beyond = sum(byte >= 0x80 for byte in data)
    return sum(map(len, long)) <= OTHER_SCRIPT * beyond


def _plausible(data: bytes) -> list[str]:
    """The encodings that bytes may be in, the likeliest first."""
    from charset_normalizer import from_bytes

    # Each word once and nothing between them: English beside them would make all encodings usual.
    words = b" ".join(dict.fromkeys(WORD.findall(data)))
    sample = words[: words.rfind(b" ", 0, SAMPLE)] if len(words) > SAMPLE else words
    matches = list(from_bytes(sample, cp_isolation=list(SCRIPTS), enable_fallback=False))
    if not matches:
        return []
    best = matches[0]
    names: dict[str, str] = {}
    for match in matches:
        alike = match.chaos < best.chaos + CHAOS and match.coherence > best.coherence - COHERENCE
        if alike and _decoded_or_none(data, match.encoding) is not None:
            names.setdefault(str(match), match.encoding)
    # Of an encoding of two bytes a character others are no characters: that these are, says more.
    return [name for name in names.values() if name in TWO_BYTES] or list(names.values())
