"""Numbers as people read them; a number that is missing is shown as a dash."""

from __future__ import annotations

from collections.abc import Callable

from allotrope import wording

MISSING = "–"
THIN = "\u202f"
RUNTIMES = {
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "pytorch": "PyTorch",
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "jax": "JAX",
    "litert": "LiteRT",
    "torch-compile": "torch.compile",
    "xla": "XLA",
}


def significant(value: float | None, digits: int = 3) -> str:
    """`value` with so many significant digits, without exponent between 0.0001 and a billion.

    Thousands are set apart.
    """
    if value is None:
        return MISSING
    return wording.significant(value, digits).replace(",", THIN)


def percent(fraction: float | None, decimals: int = 2) -> str:
    """A fraction in 0..1 as per cent."""
    if fraction is None:
        return MISSING
    return f"{100 * fraction:.{decimals}f}{THIN}%"


def count(value: float | None) -> str:
    """A whole number with its thousands set apart."""
    if value is None:
        return MISSING
    return f"{value:,.0f}".replace(",", THIN)


def short_count(value: float | None) -> str:
    """A number such as 271 K or 40.6 M."""
    return _with_prefix(value, ((1e9, "G"), (1e6, "M"), (1e3, "K")), "")


def size(value: float | None) -> str:
    """Bytes in decimal units, as the options take them."""
    return _with_prefix(value, ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")), "B")


def milliseconds(value: float | None) -> str:
    """Milliseconds, or seconds from 10,000 ms."""
    if value is not None and value >= 10_000:
        return f"{significant(value / 1000)}{THIN}s"
    if value is None:
        return MISSING
    return f"{significant(value)}{THIN}ms"


def duration(seconds: float | None) -> str:
    """Seconds as `0.42 s`, `41 s`, `5 min 2 s` or `1 h 20 min`."""
    if seconds is None or seconds < 0:
        return MISSING
    if seconds < 60:
        # Two digits of what is short, three of what would else lose its seconds.
        digits = 2 + (seconds >= 10)
        return f"{significant(seconds, digits)}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"


def stated(write: Callable[[float], str], number: float | None) -> str:
    """The number as it is written; empty if there is none, and so left out."""
    if number is None:
        return ""
    return write(number)


def times(ratio: float | None) -> str:
    """A ratio of speeds such as `11.2×`."""
    if ratio is None:
        return MISSING
    digits = 2 + (ratio >= 1)
    return f"{significant(ratio, digits)}×"


def points(fraction: float | None) -> str:
    """A signed difference of two accuracies in points of per cent."""
    if fraction is None:
        return MISSING
    text = f"{100 * fraction:+.2f}"
    if float(text) == 0:
        return "±0"
    return text.replace("-", "−")


def runtime_name(name: str) -> str:
    """The name of a runtime or framework as its makers write it."""
    return RUNTIMES.get(name, name)


def capitalized(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def shortened(text: str, length: int) -> str:
    """`text` cut to `length` characters, the cut shown."""
    if len(text) <= length:
        return text
    return text[: max(1, length - 1)] + "…"


def words(value: object) -> str:
    """A field of a recipe or of settings as text: `none`, `yes`, `0.9`, `0.5, 0.75`."""
    if isinstance(value, bool):
        if value:
            return "yes"
        return "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(words(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {words(item)}" for name, item in value.items()) or "none"
    return str(value)


def _with_prefix(value: float | None, prefixes: tuple[tuple[float, str], ...], plain: str) -> str:
    if value is None:
        return MISSING
    for factor, name in prefixes:
        if abs(value) >= factor:
            return f"{significant(value / factor)}{THIN}{name}"
    return f"{count(value)}{THIN}{plain}".rstrip(THIN)
