"""Rows of features as methods and references take them: one door in, and lengths that are safe.

Whatever X is, what comes out is float32 whose squared distances can be computed in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError
from .limits import ROW_LENGTH
from .printable import shown

if TYPE_CHECKING:
    import torch

#: Below this length of a row, squares vanish in float32 and its length with them.
_SHORT = 1e-12


class InputTypeError(InputError, TypeError):
    """X holds something else than numbers; a TypeError for those who look for one."""


def as_features(X: Any) -> np.ndarray:
    """X as rows of features.

    Args:
        X: (n_samples, dim) numbers: an array of floats, whole numbers, booleans or objects that
            are numbers, in memory or mapped; lists; a DataFrame; a torch tensor on any device; a
            `FeatureStore`.

    Returns:
        (n_samples, dim) float32, C-contiguous and finite; each row's Euclidean length is at most
        `limits.ROW_LENGTH`. X itself where it is so already.

    Raises:
        InputError: no such matrix (sparse, masked, complex, text, empty), or rows with NaN,
            infinity or numbers that are too large; the message names the first row.
    """
    found = _as_array(X)
    if found.ndim != 2:
        # The end of the message is what scikit-learn's own tests look for.
        raise InputError(
            f"X has shape {found.shape}; expected (n_samples, dim). Reshape your data: "
            "X.reshape(-1, 1) if it is one dimension, X.reshape(1, -1) if it is one sample"
        )
    if found.shape[0] == 0:
        raise InputError(f"X is empty: shape {found.shape}")
    if found.shape[1] == 0:
        raise InputError(
            f"X has 0 feature(s) (shape={found.shape}) while a minimum of 1 is required."
        )
    numbers = _numbers(found)
    with np.errstate(over="ignore", invalid="ignore"):
        features = np.ascontiguousarray(numbers, dtype=np.float32)
    features = features.view(np.ndarray)  # of a memory map, too
    wrong = too_long(features)
    if len(wrong):
        raise _unusable(numbers, wrong)
    return features


def column_names(X: Any) -> np.ndarray | None:
    """Names of the columns of a DataFrame, where all are text; None of anything else.

    Raises InputTypeError where some are text and some are not, as scikit-learn does.
    """
    columns = getattr(X, "columns", None)
    if columns is None or not hasattr(X, "shape"):
        return None
    names = list(columns)
    texts = sum(isinstance(name, str) for name in names)
    if texts == 0:
        return None
    if texts < len(names):
        raise InputTypeError(
            f"Feature names are only supported if all are strings: {texts} of {len(names)} "
            "columns of X have a text as name; name all of them or none"
        )
    return np.asarray(names, dtype=object)


def too_long(features: np.ndarray) -> np.ndarray:
    """Numbers of the (n, dim) float32 rows that are longer than ROW_LENGTH, or not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.einsum("ij,ij->i", features, features)  # no (n, dim) mask is made
        return np.flatnonzero(~(squared <= ROW_LENGTH**2))


def check_standardised(features: Any, first: int = 0) -> None:
    """Refuse rows that left float32 when each dimension was divided by its deviation.

    features: (n, dim) float32 array or tensor, standardised. first: number of its first row.

    Raises InputError naming the first row that is longer than ROW_LENGTH or not finite.
    """
    if isinstance(features, np.ndarray):
        far = too_long(features)
    else:
        import torch

        squared = torch.einsum("ij,ij->i", features, features)
        far = torch.nonzero(~(squared <= ROW_LENGTH**2))[:, 0].cpu().numpy()
    if len(far):
        raise InputError(
            f"X has {len(far)} of {len(features)} rows, first row {first + far[0]}, that are more "
            f"than {ROW_LENGTH:g} standard deviations from the training rows; they come from "
            "elsewhere, or a dimension is constant but for rounding: use another scaling"
        )


def check_arrays(
    arrays: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[tuple[int, ...], str]]
) -> None:
    """Refuse arrays that are not those wanted: name -> (shape, name of the dtype).

    Raises InputError for other names, shapes and dtypes, and for floats that are not finite.
    """
    if arrays.keys() != wanted.keys():
        names = ", ".join(sorted(arrays)) or "none"
        raise InputError(f"has the arrays {names}; wanted {', '.join(sorted(wanted)) or 'none'}")
    for name, (shape, dtype) in wanted.items():
        found = arrays[name]
        if found.shape != shape or found.dtype != np.dtype(dtype):
            raise InputError(f"{name} is {found.dtype} {found.shape}; wanted {dtype} {shape}")
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise InputError(f"{name} holds NaN or infinity; wanted finite numbers")


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Rows of (n, dim) float32 at length 1, however small their numbers; zeros stay zeros."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit: np.ndarray = features / np.maximum(length, np.finfo(np.float32).tiny)
    short = np.flatnonzero(length[:, 0] < _SHORT)
    if len(short):
        unit[short] = _unit(features[short])
    return unit


def to_unit_length(rows: torch.Tensor) -> torch.Tensor:
    """`unit_rows` of float32 rows on a device, in place."""
    import torch

    length = rows.norm(dim=1, keepdim=True)
    short = torch.nonzero(length[:, 0] < _SHORT)[:, 0]
    unit = torch.from_numpy(_unit(rows[short].cpu().numpy())).to(rows) if len(short) else None
    rows.div_(length.clamp_min(torch.finfo(rows.dtype).tiny))
    if unit is not None:
        rows[short] = unit
    return rows


def _unit(features: np.ndarray) -> np.ndarray:
    """(n, dim) float32 rows at length 1, computed in float64."""
    rows = features.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = (rows / np.where(length > 0, length, 1.0)).astype(np.float32)
    return unit


def _as_array(X: Any) -> np.ndarray:
    if hasattr(X, "read") and hasattr(X, "index") and hasattr(X, "identity"):  # a FeatureStore
        X = X.read()
    if hasattr(X, "tocsr") or hasattr(X, "todense"):  # of scipy and others
        raise InputTypeError(
            f"X is a sparse matrix ({type(X).__name__}), which is not supported; "
            "make it dense: X.toarray()"
        )
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.getmaskarray(X).any():
            masked = np.ma.getmaskarray(X)
            rows = np.flatnonzero(masked.any(axis=tuple(range(1, masked.ndim))))
            raise InputError(
                f"X is masked in {len(rows)} rows, first in row {rows[0]}; drop those rows or "
                "fill them in"
            )
        X = X.data
    try:
        if type(X).__module__.partition(".")[0] == "torch":
            X = _from_torch(X)
        return np.asarray(X)
    except InputError:
        raise
    except (ValueError, TypeError, OverflowError, RuntimeError, NotImplementedError) as error:
        raise InputTypeError(f"X should be a 2-D array of numbers; {error}") from error


def _from_torch(tensor: Any) -> Any:
    import torch

    if not isinstance(tensor, torch.Tensor):
        return tensor
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise InputTypeError(
            "X is a sparse or quantised torch tensor, which is not supported; make it dense: "
            "X.to_dense() or X.dequantize()"
        )
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu()
    known = tensor.is_complex() or not tensor.is_floating_point()
    if not known and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()  # bfloat16 and smaller ones, which NumPy lacks
    return tensor.numpy()


def _numbers(found: np.ndarray) -> np.ndarray:
    """An array of floats or whole numbers; objects that are numbers count as such."""
    if found.dtype.kind == "c":
        raise InputError(f"Complex data not supported: X has dtype {found.dtype}; wanted numbers")
    if found.dtype.kind == "O":
        # Text is no number here, though NumPy would read it as one.
        text = next((v for row in found for v in row if isinstance(v, (str, bytes))), None)
        if text is not None:
            raise InputTypeError(
                f"X has dtype object and holds {shown(repr(text))}; wanted numbers"
            )
        try:
            return found.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputTypeError(
                f"X has dtype object and holds what is no number ({error}); "
                "argument must be a number, not text or another object"
            ) from error
    if found.dtype.kind not in "fiub":
        raise InputTypeError(f"X has dtype {found.dtype}; expected numbers")
    return found


def _unusable(numbers: np.ndarray, wrong: np.ndarray) -> InputError:
    of = f"of {len(numbers)} rows, first in row"
    rows = wrong[~np.isfinite(numbers[wrong]).all(axis=1)]
    if len(rows):
        return InputError(
            f"X has NaN or infinity in {len(rows)} {of} {rows[0]}; "
            "drop those rows or extract them again"
        )
    largest = float(np.abs(numbers[wrong[0]].astype(np.float64)).max())
    return InputError(
        f"X has numbers that are too large in {len(wrong)} {of} {wrong[0]} ({largest:.3g}): "
        f"a row is at most {ROW_LENGTH:g} long, so that squared distances are finite in float32; "
        "divide all features by a constant, or drop those rows"
    )
