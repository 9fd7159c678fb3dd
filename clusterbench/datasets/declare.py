"""`dataset.toml` for a feature store: how a store becomes a data set that `run` finds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..catalog import user_home
from ..errors import InputError
from ..files import write_bytes
from .registry import DECLARATION, read

#: Samples up to which the settings for small data are the better start.
_LAPTOP = 50_000


@dataclass(frozen=True)
class Declaration:
    """A data set to declare; `store` is the folder of its feature store."""

    dataset: str
    encoder: str
    folder: Path
    store: Path
    preset: str
    exists: bool

    def write(self) -> None:
        """Write `dataset.toml`, atomically; one that lists the store already stays as it is."""
        if self.exists:
            return
        inside = self.store.parent == self.folder
        place = self.store.name if inside else str(self.store.resolve())
        quoted = {key: json.dumps(getattr(self, key), ensure_ascii=False) for key in _TEXTS}
        text = (
            f"name = {quoted['dataset']}\n"
            'description = "Imported features"\n'
            'licence = "not stated"\n'
            f"default_encoder = {quoted['encoder']}\n"
            f"preset = {quoted['preset']}\n\n"
            f"[stores]\n{quoted['encoder']} = {json.dumps(place, ensure_ascii=False)}\n"
        )
        write_bytes(self.folder / DECLARATION, text.encode())

    def benchmarks(self) -> list[str]:
        """Names of the benchmarks that have tasks for the data set."""
        from ..benchmarks import declaration

        found = [declaration.find(name) for name in declaration.names()]
        return [benchmark.name for benchmark in found if self.dataset in benchmark.datasets]


_TEXTS = ("dataset", "encoder", "preset")


def declaration_for(dataset: str, encoder: str, store: Path | None, n: int) -> Declaration:
    """The declaration of a store in `$CLUSTERBENCH_HOME/features/<dataset>/`.

    store: its folder, by default one named like the encoder beside `dataset.toml`; n: samples,
    for the preset. Raises InputError for a name that cannot be a folder's, and for a data set of
    that name which does not list this store, with the line to add.
    """
    if not dataset.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"--dataset {dataset!r}; wanted letters, digits, - and _ only")
    folder = user_home() / "features" / dataset
    if store is None:
        safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in encoder)
        store = folder / safe
    exists = (folder / DECLARATION).is_file()
    if exists:
        listed = read(folder).stores.get(encoder)
        if listed is None or listed.resolve() != store.resolve():
            line = f"{json.dumps(encoder)} = {json.dumps(str(store.resolve()))}"
            raise InputError(
                f"{folder / DECLARATION}: is there, and does not list this store; import with "
                f"--output {store} alone, then add the line {line} under [stores]"
            )
    preset = "laptop" if n <= _LAPTOP else "paper"
    return Declaration(dataset, encoder, folder, store, preset, exists)
