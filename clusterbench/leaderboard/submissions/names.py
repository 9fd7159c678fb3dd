"""Names that a submission may not carry, since a reader would take it for something else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import InputError
from ...methods.by_name import METHODS
from ...printable import shown
from ...references import names as reference_names
from .lookalikes import looks_like


def check_submitted_name(path: Path, name: str) -> None:
    """InputError, naming the file, for a submission called like what is run here, or nearly so.

    What is run here are the built-in methods, and all references: those of plug-ins too, since
    nothing that is given training labels is a method.
    """
    if name in reference_names():
        raise InputError(
            f"{path}: {name!r} is the name of a reference, which is fitted with training labels; "
            "call a method otherwise"
        )
    if name in METHODS.built_in:
        raise InputError(
            f"{path}: {name!r} is the name of a built-in method, whose results enter as "
            f"`clusterbench run` writes them; call a method that ran elsewhere otherwise, such as "
            f"{name}-of-ours"
        )
    check_result_name(path, name)


def check_result_name(path: Path, name: str) -> None:
    """InputError, naming the file, for a name that only looks like one of these."""
    for kind, known in (("built-in method", METHODS.built_in), ("reference", reference_names())):
        if other := looks_like(name, known):
            raise InputError(
                f"{path}: method {shown(ascii(name))} looks like {other!r}, the name of a {kind}; "
                "call it otherwise"
            )


def check_encoder_name(path: Path, name: str, known: Iterable[str]) -> None:
    """InputError, naming the file, for features called nearly like the data set's own ones."""
    if other := looks_like(name, known):
        raise InputError(
            f"{path}: encoder {shown(ascii(name))} looks like {other!r}, the name of the data "
            "set's own features; call other features otherwise"
        )
