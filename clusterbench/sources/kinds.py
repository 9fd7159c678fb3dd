"""The kinds of sources there are: a row each, kept in the file of the kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..catalog import Registry

if TYPE_CHECKING:
    from .source import ImageSource


@dataclass(frozen=True)
class SourceKind:
    """One kind of source, as `KINDS` lists it.

    name: what `--format` calls it. open: indexes a location, given as text, with the options that
    `takes` names (class_names, root, allow_damaged). prefix, suffixes: locations that begin or end
    so are of this kind. saved: its classes and the module of each (".tars": one of this package),
    for sources that were saved.
    """

    name: str
    open: Callable[..., ImageSource]
    takes: tuple[str, ...] = ()
    prefix: str = ""
    suffixes: tuple[str, ...] = ()
    saved: Mapping[str, str] = field(default_factory=dict)


#: Entry points of the group `clusterbench.sources` (name -> a `SourceKind`) join them.
KINDS: Registry[SourceKind] = Registry(
    "format",
    {
        "folder": "folder:KIND",
        "class-tars": "tars:KIND",
        "webdataset": "webdataset:KIND",
        "parquet": "parquet:KIND",
        "csv": "paths:KIND",
        "torch": "torch_dataset:KIND",
        "index": "saved:KIND",
    },
    package=__package__,
    base="kinds:SourceKind",
    entry_points="clusterbench.sources",
)
