"""What methods and references share: settings, their checks, and scikit-learn's ways with them."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .catalog import unknown_name
from .cost import Cost
from .errors import ClusterbenchError, InputError
from .feature_rows import as_features, column_names

if TYPE_CHECKING:
    from typing_extensions import Self

#: Constructor arguments that are not settings: a run sets them for each fit.
RESERVED = ("n_clusters", "n_classes", "random_state", "device")


class NotFittedError(InputError):
    """`predict` was called before `fit`."""


class TrainingError(ClusterbenchError):
    """Training gave no usable answer: the loss is not finite, or every head collapsed."""


class Estimator:
    """Settings in the constructor, stored under their own names, and read back from there.

    It keeps to scikit-learn's ways (`clone`, `Pipeline`, `check_estimator`) without being built on
    its classes: scikit-learn is loaded only when it asks for something. Unlike there, a setting
    that cannot be used is refused by the constructor and by `set_params` already.

    Attributes after `fit`:
        diagnostics_: JSON-able facts about the fit (losses, chosen head, warnings).
        n_features_in_: number of feature dimensions seen.
        feature_names_in_: (n_features_in_,) the column names, where X was a DataFrame.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    #: Raised by one whenever a change of the code changes the answer for the same settings.
    version: ClassVar[int]

    random_state: int
    device: str
    diagnostics_: dict[str, Any]
    n_features_in_: int
    #: The attribute that is there once `fit` has ended.
    _fitted: ClassVar[str] = "n_features_in_"

    def __init__(self, random_state: int, device: str) -> None:
        self.random_state = whole_seed(random_state)
        self.device = device

    @classmethod
    def setting_names(cls) -> list[str]:
        """Names of the constructor's arguments, in order."""
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every constructor setting by name, as scikit-learn does."""
        return {name: getattr(self, name) for name in self.setting_names()}

    def set_params(self, **params: Any) -> Self:
        """Change settings, checked as in the constructor; what was fitted is forgotten.

        Raises:
            InputError: a setting that there is not, with the nearest names, or a value it refuses;
                nothing is changed then.
        """
        if not params:
            return self
        known = self.get_params()
        for name in params:
            if name not in known:
                raise unknown_name(f"setting of {type(self).__name__}:", name, known)
        fresh = type(self)(**{**known, **params})
        self.__dict__.clear()
        self.__dict__.update(fresh.__dict__)
        return self

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost | None:
        """What a fit with these settings costs, by which `run` says how long it will take.

        Args:
            n_train: rows it is fitted on.
            n_eval: rows it predicts.
            dim: dimensions of the features.

        Returns:
            The cost; None where it is not known.
        """
        del n_train, n_eval, dim
        return None

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({settings})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._fitted)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(),
        )

    def _features_to_fit(self, X: Any) -> np.ndarray:
        """X checked, its width and column names remembered: (n_samples, dim) float32."""
        features = as_features(X)
        self._begin_fit(features.shape[1])
        names = column_names(X)
        if names is not None:
            self.feature_names_in_ = names
        return features

    def _begin_fit(self, dim: int) -> None:
        """Forget an earlier fit: one that fails from here on leaves no mixture of the two."""
        self.__dict__.pop(self._fitted, None)
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_, self.diagnostics_ = dim, {}

    def _fitted_features(self, X: Any) -> np.ndarray:
        """X checked as what `fit` saw: (n_samples, n_features_in_) float32."""
        if not self.__sklearn_is_fitted__():
            raise _not_fitted(type(self).__name__)
        features = as_features(X)
        names = column_names(X)
        seen = getattr(self, "feature_names_in_", None)
        if names is not None and seen is not None and list(names) != list(seen):
            raise InputError(_other_names(list(names), list(seen)))
        self._check_width(features.shape[1])
        return features

    def _check_width(self, dim: int) -> None:
        """Refuse rows of another width than `fit` saw, and rows before `fit`."""
        if not self.__sklearn_is_fitted__():
            raise _not_fitted(type(self).__name__)
        if dim != self.n_features_in_:
            raise InputError(
                f"X has {dim} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input; use the same encoder for both"
            )


def _not_fitted(what: str) -> NotFittedError:
    """The error, which scikit-learn's own handlers know, too; only here is it loaded for that."""
    from sklearn import exceptions

    class Unfitted(NotFittedError, exceptions.NotFittedError):
        """Both kinds."""

        def __reduce__(self) -> tuple[Any, ...]:  # a class made here has no name to pickle it by
            return _not_fitted, (what,)

    Unfitted.__name__ = Unfitted.__qualname__ = NotFittedError.__name__
    return Unfitted(f"this {what} has not been fitted; call fit first")


def _other_names(names: list[str], seen: list[str]) -> str:
    """What scikit-learn says about columns of other names, on one line."""
    new = sorted(set(names) - set(seen))
    missing = sorted(set(seen) - set(names))
    text = "The feature names should match those that were passed during fit."
    if new:
        text += f" Feature names unseen at fit time: {_some(new)}."
    if missing:
        text += f" Feature names seen at fit time, yet now missing: {_some(missing)}."
    if not new and not missing:
        text += " Feature names must be in the same order as they were in fit."
    return text


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def positive_int(name: str, value: Any) -> int:
    """`value` as an int; InputError unless it is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name}={value!r} should be a whole number >= 1")
    return int(value)


def whole_seed(value: Any) -> int:
    """`value` as a seed; InputError unless it is a whole number in [0, 2**31)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputError(f"random_state={value!r} should be a whole number >= 0")
    if not 0 <= value < 2**31:
        raise InputError(f"random_state={value} should be in [0, 2**31)")
    return int(value)


def true_or_false(name: str, value: Any) -> bool:
    """`value` if it is a bool; the string "False" is not (it would count as true)."""
    if not isinstance(value, bool):
        raise InputError(f"{name}={value!r} should be true or false")
    return value


def whole_number(name: str, value: Any) -> int:
    """`value` as an int; InputError unless it is a whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise InputError(f"{name}={value!r} should be a whole number >= 0")
    return int(value)


def positive_float(name: str, value: Any, *, zero: bool = False) -> float:
    """`value` as a finite float above 0 (or 0 itself where `zero`); InputError otherwise."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name}={value!r} should be a number {'>= 0' if zero else '> 0'}")
    return float(value)


def number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> float:
    """`value` as a float; InputError unless it is finite and within the bounds."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = usable and above < value < below and at_least <= value <= at_most
    if not inside or not math.isfinite(value):
        bounds = f"> {above:g}" if above > -math.inf else f">= {at_least:g}"
        upper = f" and <= {at_most:g}" if at_most < math.inf else ""
        upper += f" and < {below:g}" if below < math.inf else ""
        raise InputError(f"{name}={value!r} should be a number {bounds}{upper}")
    return float(value)
