"""Settled settings of each method: preset, then explicit parameters, checked by name and type."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..catalog import unknown_name
from ..errors import InputError
from .plan import MethodSpec
from .record import plain

if TYPE_CHECKING:
    from ..methods import Clusterer

#: Constructor arguments that are not settings: K and the seed stand beside the settings in a run
#: key, and the device is not part of it.
RESERVED = ("n_clusters", "random_state", "device")

Params = Mapping[str, Mapping[str, Any]]

_CHECKED = (bool, int, float, str, types.NoneType)


def settle(names: Sequence[str], preset: Params, params: Params, device: str) -> list[MethodSpec]:
    """The methods of a request with every setting settled.

    Args:
        preset: settings by method, of the preset; methods it does not name keep their defaults.
        params: settings by method that win over the preset.

    Raises:
        InputError: unknown method or setting (with the nearest names), a value of the wrong type,
            or settings for a method that is not among `names`.
    """
    chosen = list(dict.fromkeys(names))
    if not chosen:
        raise InputError("no method chosen; name at least one")
    from .. import methods

    for name in params:
        if name not in chosen:
            methods.get(name)  # an unknown name gets its own message
            raise InputError(
                f"parameters for method {name!r}, which is not among the methods to run "
                f"({', '.join(chosen)})"
            )
    return [
        _settle_one(methods.get(name), {**preset.get(name, {}), **params.get(name, {})}, device)
        for name in chosen
    ]


def build(spec: MethodSpec, *, k: int, seed: int, device: str) -> Clusterer:
    """The method ready to fit."""
    from .. import methods

    return methods.get(spec.name)(
        n_clusters=k, random_state=seed, device=device, **dict(spec.params)
    )


def _settle_one(cls: type[Clusterer], settings: Mapping[str, Any], device: str) -> MethodSpec:
    hints = typing.get_type_hints(cls.__init__)
    known = [name for name in hints if name not in (*RESERVED, "return")]
    for name, value in settings.items():
        if name in RESERVED:
            raise InputError(
                f"parameter {cls.name}.{name} is not a setting; "
                "use --k, --seeds and --device (k=, seeds=, device=)"
            )
        if name not in known:
            raise unknown_name(f"parameter of method {cls.name!r}:", name, known)
        _check_type(f"{cls.name}.{name}", value, hints[name])
    params = cls(n_clusters=2, random_state=0, device=device, **settings).get_params()
    recorded = {name: plain(value) for name, value in params.items() if name not in RESERVED}
    return MethodSpec(cls.name, cls.version, recorded)


def _check_type(name: str, value: Any, hint: Any) -> None:
    allowed = tuple(_alternatives(hint))
    if not allowed or not all(kind in _CHECKED for kind in allowed):
        return  # not a plain type: the method checks its values itself
    if isinstance(value, bool):
        fits = bool in allowed
    elif isinstance(value, int):
        fits = int in allowed or float in allowed
    else:
        fits = isinstance(value, allowed)
    if not fits:
        wanted = " or ".join(
            "none" if kind is types.NoneType else kind.__name__ for kind in allowed
        )
        raise InputError(f"parameter {name}={value!r} is a {type(value).__name__}; wanted {wanted}")


def _alternatives(hint: Any) -> Iterable[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)
