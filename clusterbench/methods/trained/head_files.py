"""One file that holds a trained head: safetensors, with a record of what it is in its header."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...declared import from_table
from ...doors import check_amount, check_fields, check_size, open_regular, parse_json
from ...errors import InputError
from ...files import atomic_path, sha256_array, sha256_json
from ...limits import DIMENSIONS, HEAD_HEADER, SAVED_HEAD, check_name
from ...printable import shown

FORMAT = "clusterbench-head/1"
#: The one entry of the header's metadata; several would come in any order.
_KEY = "clusterbench"
_TENSORS = 64
_ADVICE = "wanted a file that the method's save(path) has written"


@dataclass(frozen=True)
class HeadRecord:
    """What a saved head is, beside its tensors.

    method, method_version: the method's, as in results.
    clusterbench: version that saved it.
    settings: as of `get_params`.
    n_features_in: dimensions of the features.
    feature_names_in: of the columns, where the features were a DataFrame.
    diagnostics: what the fit said of itself.
    tensors_sha256: of the tensors' names, dtypes, shapes and bytes (`tensors_sha256`).
    """

    method: str
    method_version: int
    clusterbench: str
    settings: dict[str, Any]
    n_features_in: int
    feature_names_in: tuple[str, ...] | None
    diagnostics: dict[str, Any]
    tensors_sha256: str

    def __post_init__(self) -> None:
        check_name(self.method, "method")
        check_name(self.clusterbench, "clusterbench")
        if not 1 <= self.n_features_in <= DIMENSIONS:
            raise InputError(f"n_features_in = {self.n_features_in} is not in 1..{DIMENSIONS:,}")
        names = self.feature_names_in
        if names is not None and len(names) != self.n_features_in:
            raise InputError(
                f"feature_names_in has {len(names):,} names, n_features_in is {self.n_features_in}"
            )


def tensors_sha256(tensors: dict[str, np.ndarray]) -> str:
    """Hex SHA-256 over the hash of each tensor (`files.sha256_array`) by its name."""
    return sha256_json({name: sha256_array(tensor) for name, tensor in tensors.items()})


def write_head(path: Path, record: HeadRecord, tensors: dict[str, np.ndarray]) -> None:
    """Write record and tensors to `path`, whole or not at all; the same ones give the same bytes.

    Raises:
        InputError: what the reader would refuse: a record that is too long, for example.
        StorageError: the file cannot be written.
    """
    from safetensors.numpy import save

    values = json.loads(json.dumps(asdict(record), allow_nan=False))
    text = json.dumps({"format": FORMAT, "sha256": sha256_json(values), "record": values})
    _read_record(text, str(path))
    content = save({n: np.ascontiguousarray(t) for n, t in tensors.items()}, {_KEY: text})
    _check_header(content[:8], str(path))
    check_size(path, len(content), SAVED_HEAD)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_head(path: Path) -> tuple[HeadRecord, dict[str, np.ndarray]]:
    """Record and tensors of a file of `write_head`, whose hashes are found to hold.

    The tensors' names, shapes and values are for the caller to judge.

    Raises:
        InputError: another kind of file, a damaged one, another version of the format.
    """
    from safetensors import safe_open

    with open_regular(path, SAVED_HEAD) as file:
        _check_header(file.read(8), str(path))
    with _reading(path):
        opened = safe_open(path, framework="np")
    with opened as tensors_file:
        with _reading(path):
            text = (tensors_file.metadata() or {}).get(_KEY)
            names = list(tensors_file.keys())
        if text is None:
            raise InputError(f"{path}: a safetensors file, but no head of clusterbench; {_ADVICE}")
        record = _read_record(text, str(path))
        if len(names) > _TENSORS:
            raise InputError(f"{path}: holds {len(names):,} tensors; {_ADVICE}")
        with _reading(path):
            # Copied, since a tensor in the file may lie at any address, and sums depend on that.
            tensors = {name: np.array(tensors_file.get_tensor(name)) for name in names}
    if tensors_sha256(tensors) != record.tensors_sha256:
        raise InputError(f"{path}: its tensors are not those that were saved; copy it again")
    return record, tensors


def _check_header(start: bytes, where: str) -> None:
    if len(start) < 8:
        raise InputError(f"{where}: has {len(start)} bytes; {_ADVICE}")
    length = int.from_bytes(start, "little")
    if length > HEAD_HEADER:
        raise InputError(
            f"{where}: no saved head, or a header of {length:,} bytes, and one has at most "
            f"{HEAD_HEADER:,}; {_ADVICE}"
        )


def _read_record(text: str, where: str) -> HeadRecord:
    check_amount(text.encode("utf-8", "surrogatepass"), where, SAVED_HEAD)
    content = parse_json(text, f"{where}: its record")
    check_fields(content, {"format": str}, f"{where}: its record")
    if content["format"] != FORMAT:
        raise InputError(
            f"{where}: is of the format {shown(repr(content['format']))}; this version of "
            f"clusterbench reads {FORMAT!r}"
        )
    check_fields(content, {"sha256": str, "record": dict}, f"{where}: its record")
    if sha256_json(content["record"]) != content["sha256"]:
        raise InputError(f"{where}: its record is not the one that was saved; copy it again")
    return from_table(HeadRecord, content["record"], f"{where}: its record")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file raises what the library meets first
        reason = shown(" ".join(str(error).split()) or type(error).__name__)
        raise InputError(f"{path}: no readable safetensors file ({reason}); {_ADVICE}") from error
