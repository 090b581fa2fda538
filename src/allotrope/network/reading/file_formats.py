"""What a file is that is no ONNX model: told by its first bytes or its name, with the way to one.

Nothing is opened, unpacked or executed for it. Sources of the signatures: the formats' own
descriptions; for archives https://en.wikipedia.org/wiki/List_of_file_signatures.
"""

from __future__ import annotations

from pathlib import Path

from allotrope.errors import ModelError

HEAD = 4096
"""How many of the first bytes are looked at."""

_FROM_TORCH = "Load it in PyTorch and export it: torch.onnx.export(model, (x,), 'model.onnx')."
_FROM_KERAS = "Load it in Keras and export it: model.export('model.onnx', format='onnx')."
_TF2ONNX = "python -m tf2onnx.convert {} --output model.onnx (pip install tf2onnx)."
_FROM_SOURCE = "There is no way back: export the network that it was made from to ONNX."
_UNPACK = "Nothing is unpacked here: unpack it and give the .onnx file inside."
_GIT_LFS = "Fetch the file itself with 'git lfs pull', or download it again."

_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (
        0,
        b"version https://git-lfs",
        "a pointer of Git LFS, not the file that it stands for",
        _GIT_LFS,
    ),
    (
        0,
        b"version https://hawser",
        "a pointer of Git LFS, not the file that it stands for",
        _GIT_LFS,
    ),
    (
        0,
        b"\x78\x9c",
        "compressed by zlib, as joblib does it",
        "Convert what it holds, such as with skl2onnx.",
    ),
    (0, b"\x1f\x8b", "compressed by gzip", "Unpack it with 'gzip -d'; nothing is unpacked here."),
    (0, b"\xfd7zXZ\0", "compressed by xz", _UNPACK),
    (0, b"BZh", "compressed by bzip2", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "compressed by lz4", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as .h5 of Keras or MATLAB", _FROM_KERAS),
    (4, b"TFL3", "a TFLite model", _TF2ONNX.format("--tflite FILE")),
    (4, b"ORTM", "a model in ONNX Runtime's own ORT format", _FROM_SOURCE),
    (4, b"ET12", "an ExecuTorch program", _FROM_SOURCE),
    (0, b"GGUF", "a GGUF file of llama.cpp", _FROM_SOURCE),
    (0, b"\x93NUMPY", "a NumPy array", "Give the network's ONNX file; arrays are data."),
    (0, b"ptrt", "a TensorRT engine", _FROM_SOURCE),
    (0, b"ftrt", "a TensorRT engine", _FROM_SOURCE),
    (0, b"RKNN", "a model of Rockchip's RKNN", _FROM_SOURCE),
    (0, b"7767517", "a network of ncnn", _FROM_SOURCE),
    (0, b"PAR1", "a Parquet table", "Give the network's ONNX file; tables are data."),
    (0, b"SQLite format 3", "an SQLite database", "Give the network's ONNX file."),
    (0, b"%PDF", "a PDF document", "Give the network's ONNX file."),
    (0, b"\x89PNG", "a picture", "Give the network's ONNX file; pictures are data."),
    (0, b"\xff\xd8\xff", "a picture", "Give the network's ONNX file; pictures are data."),
    (0, b"GIF8", "a picture", "Give the network's ONNX file; pictures are data."),
    (0, b"\x7fELF", "a program or library", "Give the network's ONNX file."),
    (0, b"MZ\x90", "a program or library", "Give the network's ONNX file."),
)
"""Where the mark is, the mark, what the file is, and what to do."""

_ZIPPED: tuple[tuple[bytes, str, str], ...] = (
    (b"/code/__torch__", "a TorchScript model", _FROM_TORCH),
    (b"constants.pkl", "a TorchScript model", _FROM_TORCH),
    (b"data.pkl", "a PyTorch checkpoint (a pickle, which is never opened here)", _FROM_TORCH),
    (b"archive_format", "a program of torch.export", _FROM_TORCH),
    (b"models/model.json", "a program of torch.export", _FROM_TORCH),
    (b"exported_program", "a program of torch.export", _FROM_TORCH),
    (b"model.weights.h5", "a Keras model", _FROM_KERAS),
    (b"metadata.json", "a Keras model", _FROM_KERAS),
    (b".npy", "NumPy arrays (.npz)", "Give the network's ONNX file; arrays are data."),
    (b".mlmodel", "a Core ML package", _FROM_SOURCE),
    (b".onnx", "a zip archive with an ONNX file inside", _UNPACK),
)
"""Names inside of a zip archive, of which the first bytes show some."""

_TEXTS: tuple[tuple[bytes, str, str], ...] = (
    (b"<!doctype", "a web page, perhaps of an error or a login", "Download the file itself."),
    (b"<html", "a web page, perhaps of an error or a login", "Download the file itself."),
    (b"<?xml", "XML, such as OpenVINO's", _FROM_SOURCE),
    (b"<net", "OpenVINO's XML", _FROM_SOURCE),
    (b"<", "XML, perhaps the answer of a server", "Download the file itself."),
    (b"{", "JSON", "A description is not the network: give its ONNX file."),
    (b"[", "JSON", "A description is not the network: give its ONNX file."),
)

_BY_NAME = {
    ".pb": ("TensorFlow", _TF2ONNX.format("--saved-model FOLDER")),
    ".pdmodel": ("Paddle", "Convert it with paddle2onnx."),
    ".pdiparams": ("Paddle", "Convert it with paddle2onnx."),
    ".mlmodel": ("Core ML", _FROM_SOURCE),
    ".caffemodel": ("Caffe", _FROM_SOURCE),
    ".msgpack": ("Flax", _FROM_SOURCE),
    ".pt": ("PyTorch", _FROM_TORCH),
    ".pth": ("PyTorch", _FROM_TORCH),
    ".ckpt": ("PyTorch or TensorFlow", _FROM_TORCH),
    ".bin": ("PyTorch or OpenVINO", _FROM_TORCH),
    ".joblib": ("scikit-learn", "Convert it with skl2onnx."),
    ".pkl": ("Python", "A pickle is never opened here: convert what it holds with skl2onnx."),
    ".engine": ("TensorRT", _FROM_SOURCE),
    ".plan": ("TensorRT", _FROM_SOURCE),
}
"""What ends so is usually of this make; used where the content tells nothing."""


def other_format(head: bytes, size: int) -> str:
    """What a file with these first bytes is, and the way to an ONNX model; empty if not known."""
    # By content before name: files are renamed, and a mark of four bytes seldom stands there by
    # chance.
    for position, mark, what, remedy in _SIGNATURES:
        if head.startswith(mark, position):
            return _told(what, remedy)
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head)
    # safetensors have no mark: they begin with the length of a JSON header, and then it.
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < size - 8 + 1:
        return _told(
            "safetensors, which hold weights and no network",
            "Export the network to ONNX, such as by: optimum-cli export onnx --model NAME OUT.",
        )
    # PROTO and the number of the protocol, with which pickles begin since the second.
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return _told(
            "a pickle, as PyTorch and scikit-learn write it, which is never opened here",
            _FROM_TORCH,
        )
    return _text(head)


def _told(what: str, remedy: str) -> str:
    return f"it is {what}. {remedy}"


def _zipped(head: bytes) -> str:
    # The list of what is inside lies at the end; the first bytes show the names of the first files.
    # The telling ones come first, as a TorchScript model holds a data.pkl, too.
    for name, what, remedy in _ZIPPED:
        if name in head:
            return _told(what, remedy)
    return _told("a zip archive", _UNPACK)


def _text(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    # No text has control characters below the tab; ONNX files usually begin with one (8, field 1).
    if any(byte < 9 for byte in head) or not start:
        return ""
    for mark, what, remedy in _TEXTS:
        if start.startswith(mark):
            return _told(what, remedy)
    try:
        shown = head[:60].decode().strip().splitlines()[0]
    except UnicodeDecodeError:
        return ""
    return _told(f"a text that begins with {shown!r}", "Give the network's ONNX file.")


def by_name(path: Path) -> str:
    """What a file that could not be read may be, by its name; empty if that tells nothing."""
    what, remedy = _BY_NAME.get(path.suffix.lower(), ("", ""))
    return f" By its name it is of {what}. {remedy}" if what else ""


def check_format(head: bytes, size: int) -> None:
    """Raises: ModelError that names what the file is, if it is of another known format."""
    if size == 0:
        raise ModelError(
            "it is empty: the download or export did not end. Fetch or export it again."
        )
    # Some programs reserve the whole file first and then fill it.
    if not head.strip(b"\0"):
        raise ModelError(
            "it begins with nothing but zeros: the download did not end. Fetch it again."
        )
    what = other_format(head, size)
    if what:
        raise ModelError(what)


def folder_instead(path: Path) -> ModelError:
    """The error for a folder in the place of a model: what it is, or which models lie in it."""
    patterns = ("*.onnx", "*/*.onnx")
    inside = [file for pattern in patterns for file in sorted(path.glob(pattern))]
    if inside:
        names = ", ".join(f"'{file}'" for file in inside[:10])
        return ModelError(f"it is a folder: give the path of an ONNX file, such as {names}.")
    for name, what, remedy in (
        ("saved_model.pb", "TensorFlow's SavedModel", _TF2ONNX.format("--saved-model FOLDER")),
        ("Manifest.json", "a Core ML package", _FROM_SOURCE),
        (
            "config.json",
            "a model of Hugging Face",
            "Export it with: optimum-cli export onnx --model FOLDER OUT.",
        ),
    ):
        if (path / name).exists():
            return ModelError(f"it is {what}, and no ONNX file. {remedy}")
    return ModelError("it is a folder, not a file, with no ONNX file in it: give the path of one.")
