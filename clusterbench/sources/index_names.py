"""Which names classes and samples may have: looked at whenever an index is made or loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..limits import CLASS_NAME, SAMPLE_ID
from ..printable import is_control, shown

_CHUNK = 1 << 16  # ids looked at together: their bytes stay in the processor's cache


def check_class_names(names: Sequence[str], where: str, *, paths: bool = False) -> None:
    """Refuse a class name that is empty, too long, or holds control characters.

    paths: also one that as a path would lead elsewhere: absolute, or with a part `..`, `.` or "".
    """
    for name in names:
        if fault := _class_fault(name, paths):
            raise InputError(f"{where}: class name {shown(repr(name))} {fault}")


def check_sample_ids(ids: np.ndarray, where: str, *, paths: bool = False) -> None:
    """Refuse ids that are no text on one line: (n,) bytes.

    paths: also those with a part `.` or `..`, which as a path would lead elsewhere. Raises
    InputError for the first id that is empty, longer than SAMPLE_ID bytes, not UTF-8, or holds
    a control character.
    """
    for start in range(0, len(ids), _CHUNK):
        some = np.ascontiguousarray(ids[start : start + _CHUNK])
        if (some == b"").any():
            raise InputError(f"{where}: an id is empty; wanted class/file")
        lengths = np.strings.str_len(some)
        if lengths.max() > SAMPLE_ID:
            text = bytes(some[lengths.argmax()]).decode(errors="replace")
            raise InputError(
                f"{where}: an id has {lengths.max():,} bytes; wanted at most {SAMPLE_ID:,} "
                f"({shown(text)})"
            )
        codes = some.view(np.uint8).reshape(len(some), some.dtype.itemsize)
        odd = ((codes >= 0x7F) | ((codes < 0x20) & (codes != 0))).any(axis=1)
        odd |= np.count_nonzero(codes, axis=1) != lengths  # NUL, which is not only at the end
        if paths:
            odd |= (np.strings.find(some, b"/.") >= 0) | np.strings.startswith(some, b".")
        for identifier in some[odd].tolist():
            if fault := _id_fault(identifier, paths):
                text = identifier.decode(errors="replace")
                raise InputError(f"{where}: id {shown(repr(text))} {fault}; rename that sample")


def _id_fault(identifier: bytes, paths: bool) -> str:
    try:
        text = identifier.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if fault := _control(text):
        return fault
    if paths and any(part in (".", "..") for part in text.split("/")):
        return "is a path that leads elsewhere"
    return ""


def _class_fault(name: str, paths: bool) -> str:
    if not name.strip():
        return "is empty"
    if len(name) > CLASS_NAME:
        return f"has {len(name):,} characters; wanted at most {CLASS_NAME:,}"
    if fault := _control(name):
        return fault
    if paths and any(part in ("", ".", "..") for part in name.split("/")):
        return "is a path that leads elsewhere; wanted a name, or a path such as animal/dog"
    return ""


def _control(text: str) -> str:
    if "\n" in text:
        return "holds a line break"
    if text.isprintable():  # the usual case, decided in C
        return ""
    wrong = next((c for c in text if is_control(c)), None)
    return "" if wrong is None else f"holds the control character U+{ord(wrong):04X}"
