"""Methods with one trained head: it is saved, loaded, and exported for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...devices import resolve_device
from ...errors import InputError
from ...feature_rows import check_arrays
from ...printable import shown
from ...version import __version__
from ..clusterer import Clusterer
from ..scaling import Scaler
from .head_files import HeadRecord, read_head, tensors_sha256, write_head
from .head_input import HeadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ...heads.stack import HeadStack

#: Settings whose defaults are not what there was before there was the setting.
_BEFORE = {"select": "loss"}


class HeadClusterer(Clusterer):
    """A method whose clusters are those of one head (`heads.stack`) on scaled features."""

    hidden: int
    bottleneck: int
    depth: int
    last: str
    spaces: tuple[int, ...]
    teacher_temperature: float = 1.0
    scaling: str
    _head: HeadStack
    _input: HeadInput

    def save(self, path: Path | str) -> None:
        """Write the fitted method to one safetensors file, whole or not at all.

        It holds the chosen head, the scaling's arrays, `labels_` as int32, the settings, the
        diagnostics and hashes of all that. `load` gives back what predicts the same.

        Args:
            path: of the file; one that is there is replaced.

        Raises:
            InputError: not fitted, or fitted with smooth_neighbors above 0.
            StorageError: the file cannot be written.
        """
        self._check_alone("save")
        scaler = {f"scaling.{name}": array for name, array in self._input.scaler.arrays.items()}
        head = {f"head.{name}": tensor.cpu().numpy() for name, tensor in self._head.items()}
        tensors = {**head, **scaler, "labels": self.labels_.astype(np.int32)}
        names = getattr(self, "feature_names_in_", None)
        record = HeadRecord(
            method=self.name,
            method_version=self.version,
            clusterbench=__version__,
            settings=self.get_params(),
            n_features_in=self.n_features_in_,
            feature_names_in=None if names is None else tuple(names.tolist()),
            diagnostics=self.diagnostics_,
            tensors_sha256=tensors_sha256(tensors),
        )
        write_head(Path(path), record, tensors)

    @classmethod
    def load(cls, path: Path | str, *, device: str = "auto") -> Self:
        """The fitted method that `save` wrote; no code in the file is run.

        On the device it was saved on, `predict`, `predict_proba` and `predict_top` give the same
        bits. `get_params` are the same but for `device`.

        Args:
            path: of the file.
            device: where it predicts: "auto", "cpu", "cuda[:N]" or "mps".

        Raises:
            InputError: no such file, another method's, of another version, or a damaged one.
        """
        record, tensors = read_head(Path(path))
        if record.method != cls.name:
            raise InputError(
                f"{path}: is of the method {shown(repr(record.method))}, not of {cls.name!r}; "
                "clusterbench.methods.load takes any"
            )
        return cls._restored(record, tensors, str(path), device)

    @classmethod
    def _restored(
        cls, record: HeadRecord, tensors: dict[str, np.ndarray], where: str, device: str
    ) -> Self:
        """What `save` had before it; messages begin with `where`."""
        import torch

        where_to = resolve_device(device)
        if record.method_version > cls.version:
            raise InputError(
                f"{where}: is of version {record.method_version} of {cls.name!r}, and this "
                f"clusterbench has version {cls.version}; install clusterbench "
                f"{shown(record.clusterbench)} or later"
            )
        # One that it does not have came later, and its default is what there was before, or that
        # of `_BEFORE`.
        if other := sorted(record.settings.keys() - set(cls.setting_names())):
            raise InputError(
                f"{where}: its settings are not those of {cls.name!r} here, which has no "
                f"{shown(', '.join(other))}; load it with clusterbench {shown(record.clusterbench)}"
            )
        try:
            known = {n: v for n, v in _BEFORE.items() if n in cls.setting_names()}
            found = cls(**{**known, **record.settings, "device": device})
            if getattr(found, "smooth_neighbors", 0):
                raise InputError("smooth_neighbors is above 0, and such a head is not saved")
            scaler = Scaler(found.scaling, found.spaces)
            scaler.restore(_of(tensors, "scaling."), record.n_features_in)
            dim = scaler.width(record.n_features_in)
            check_arrays(_of(tensors, "head."), found._shapes(dim))
            rest = {n: t for n, t in tensors.items() if not n.startswith(("scaling.", "head."))}
            labels = rest.get("labels", np.empty(0, np.int32))
            check_arrays(rest, {"labels": ((labels.size,), "int32")})
            if not labels.size or labels.min() < 0 or labels.max() >= found.n_clusters:
                raise InputError(f"labels are not all in 0..{found.n_clusters - 1}")
        except (TypeError, ValueError, OverflowError) as error:  # the last of a plug-in's settings
            raise InputError(f"{where}: {error}") from error
        found._input = HeadInput.restored(scaler, record.n_features_in, where_to)
        found._head = {
            name: torch.tensor(array, device=where_to)
            for name, array in _of(tensors, "head.").items()
        }
        found.labels_ = labels.astype(np.int64)
        found.diagnostics_ = record.diagnostics
        found.n_features_in_ = record.n_features_in
        if record.feature_names_in is not None:
            found.feature_names_in_ = np.asarray(record.feature_names_in, dtype=object)
        return found

    def export(self, path: Path | str) -> None:
        """Write the head, scaling included, for programs without clusterbench.

        Args:
            path: of a file that ends in .onnx, which becomes an ONNX model from `features`
                (n, dim) float32 to `cluster` (n,) int64 and `probability` (n, n_clusters) float32,
                for any n; or of a folder, which gets `head.safetensors`, a state dict for torch,
                and `config.json`, which says how to compute with it.

        Raises:
            InputError: not fitted, fitted with smooth_neighbors above 0, no package `onnx`, a
                head of several spaces, or one that is too large for an ONNX file.
            StorageError: a file cannot be written.
        """
        from ...heads.export import PlainHead
        from ...heads.onnx_graph import write_onnx

        self._check_alone("export")
        scaler = self._input.scaler
        plain = PlainHead.of(
            self._head,
            self.teacher_temperature,
            scaler.scaling,
            scaler.arrays,
            f"{self.name} {self.version} of clusterbench {__version__}",
        )
        target = Path(path)
        if target.suffix.lower() == ".onnx":
            write_onnx(target, plain)
        else:
            plain.write(target)

    def _check_alone(self, what: str) -> None:
        """Refuse a method that is not fitted, or whose head needs its training rows."""
        self._check_width(getattr(self, "n_features_in_", 0))
        if self._input.smooths:
            raise InputError(
                f"a head with smooth_neighbors={getattr(self, 'smooth_neighbors', 0)} averages "
                f"each new row with training rows, and {what} keeps none; keep features and "
                "settings and fit again, or fit with smooth_neighbors=0"
            )

    def _shapes(self, dim: int) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shapes and dtypes of one head's tensors, of an input of `dim` dimensions."""
        from ...heads.schedule import widths
        from ...heads.stack import shapes

        of_rows = widths(dim, self.hidden, self.depth, self.bottleneck)
        found = shapes(1, of_rows, self.n_clusters, self.last, self.spaces)
        return {name: (shape, "float32") for name, shape in found.items()}


def load_as(
    classes: Callable[[str], type[Clusterer]], path: Path | str, device: str
) -> HeadClusterer:
    """The fitted method in a file; `classes(name)` gives the class of a method."""
    record, tensors = read_head(Path(path))
    # Until version 3 SCANv2 went by the name of SCAN.
    renamed = record.method == "scan" and record.method_version <= 3
    try:
        cls = classes("scanv2" if renamed else record.method)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not issubclass(cls, HeadClusterer):
        raise InputError(f"{path}: is of the method {record.method!r}, which has no head to load")
    return cls._restored(record, tensors, str(path), device)


def _of(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
