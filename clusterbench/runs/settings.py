"""Settled settings of methods and references: preset, then parameters, checked by name and type."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..catalog import unknown_name
from ..errors import InputError
from ..estimator import RESERVED
from ..limits import SETTINGS
from ..results.fields import free_fault
from ..results.plain import plain
from .plan import MethodSpec

if TYPE_CHECKING:
    from ..methods import Clusterer
    from ..references import Reference

Params = Mapping[str, Mapping[str, Any]]

_CHECKED = (bool, int, float, str, types.NoneType)


def settle(names: Sequence[str], preset: Params, params: Params, device: str) -> list[MethodSpec]:
    """The methods of a request with every setting settled, then its references.

    Args:
        names: of methods and references.
        preset: settings by method, of the preset; methods it does not name keep their defaults.
        params: settings by method that win over the preset.
        device: where they will be fitted.

    Raises:
        InputError: unknown method or setting (with the nearest names), a value of the wrong type,
            or settings for a method that is not among `names`.
    """
    chosen = list(dict.fromkeys(names))
    if not chosen:
        raise InputError("no method chosen; name at least one")
    for name in params:
        if name not in chosen:
            _class(name)  # an unknown name gets its own message
            raise InputError(
                f"parameters for method {name!r}, which is not among the methods to run "
                f"({', '.join(chosen)})"
            )
    specs = [
        _settle_one(_class(name), {**preset.get(name, {}), **params.get(name, {})}, device)
        for name in chosen
    ]
    return sorted(specs, key=lambda spec: spec.reference)


def build(spec: MethodSpec, *, k: int, seed: int, device: str) -> Clusterer | Reference:
    """The method or reference ready to fit."""
    from .. import methods, references

    settings = dict(spec.params)
    if spec.reference:
        reference = references.get(spec.name)
        return reference(n_classes=k, random_state=seed, device=device, **settings)
    return methods.get(spec.name)(n_clusters=k, random_state=seed, device=device, **settings)


def _class(name: str) -> type[Clusterer] | type[Reference]:
    """The class of a method or reference; InputError with near names of both."""
    from .. import methods, references

    if name in references.names():
        return references.get(name)
    if name not in methods.names():
        raise unknown_name("method", name, [*methods.names(), *references.names()])
    return methods.get(name)


def _settle_one(
    cls: type[Clusterer] | type[Reference], settings: Mapping[str, Any], device: str
) -> MethodSpec:
    from ..references import Reference

    kind = "reference" if issubclass(cls, Reference) else "method"
    hints = typing.get_type_hints(cls.__init__)
    known = [name for name in hints if name not in (*RESERVED, "return")]
    for name, value in settings.items():
        if name in RESERVED:
            raise InputError(
                f"parameter {cls.name}.{name} is not a setting; "
                "use --k, --seeds and --device (k=, seeds=, device=)"
            )
        if name not in known:
            raise unknown_name(f"parameter of {kind} {cls.name!r}:", name, known)
        _check_type(f"{cls.name}.{name}", value, hints[name])
    params = cls(2, random_state=0, device=device, **settings).get_params()
    recorded = {name: plain(value) for name, value in params.items() if name not in RESERVED}
    if fault := free_fault(recorded, SETTINGS):
        raise InputError(f"parameters of {kind} {cls.name!r} cannot be recorded: {fault}")
    if issubclass(cls, Reference):
        return MethodSpec(cls.name, cls.version, recorded, reference=True, seeded=cls.seeded)
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
