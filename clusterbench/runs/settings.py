"""Settled settings of methods and references: preset, then parameters, checked by name and type."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..catalog import unknown_name
from ..errors import InputError
from ..estimator import RESERVED
from ..limits import SETTING_VALUES, SETTINGS, check_free
from ..printable import shown
from ..results.fields import free_fault
from ..results.plain import plain
from ..typed_text import Typed, alternatives, name_of, read_as
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
        params: settings by method that win over the preset; a `Typed` value is read as what the
            setting is declared to be.
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
    annotations = _annotations(cls)
    known = [name for name in annotations if name not in RESERVED]
    given: dict[str, Any] = {}
    for name, value in settings.items():
        if name in RESERVED:
            raise InputError(
                f"parameter {cls.name}.{name} is not a setting; "
                "use --k, --seeds and --device (k=, seeds=, device=)"
            )
        if name not in known:
            raise unknown_name(f"parameter of {kind} {cls.name!r}:", name, known)
        where = f"parameter {cls.name}.{name}"
        if isinstance(value, Typed):
            given[name] = read_as(str(value), annotations[name], where)
        else:
            check_free(value, where)
            _check_type(where, value, annotations[name])
            given[name] = value
    params = _settings(cls, kind, device, given)
    recorded = {name: plain(value) for name, value in params.items() if name not in RESERVED}
    if fault := free_fault(recorded, SETTINGS, SETTING_VALUES):
        raise InputError(f"parameters of {kind} {cls.name!r} cannot be recorded: {fault}")
    if issubclass(cls, Reference):
        return MethodSpec(cls.name, cls.version, recorded, reference=True, seeded=cls.seeded)
    return MethodSpec(cls.name, cls.version, recorded)


def _annotations(cls: type[Clusterer] | type[Reference]) -> dict[str, Any]:
    """Constructor argument -> its annotation; that of its default where it has none."""
    try:
        hints = typing.get_type_hints(cls.__init__)
    except Exception:  # of another package: a name that is there for type checkers only
        hints = {}
    found = {}
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        if name != "self" and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            default = parameter.default
            guess = type(default) if isinstance(default, (bool, int, float, str)) else Any
            found[name] = hints.get(name, guess)
    return found


def _settings(
    cls: type[Clusterer] | type[Reference], kind: str, device: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Every setting, as the constructor has taken it; an InputError that names the method."""
    try:
        return cls(2, random_state=0, device=device, **given).get_params()
    except InputError as error:
        raise InputError(f"{kind} {cls.name}: {error}") from error
    except Exception as error:  # of another package, which may refuse values in its own way
        raise InputError(
            f"{kind} {cls.name}: cannot be made with these settings "
            f"({type(error).__name__}: {error})"
        ) from error


def _check_type(where: str, value: Any, annotation: Any) -> None:
    allowed = tuple(alternatives(annotation))
    if not allowed or not all(kind in _CHECKED for kind in allowed):
        return  # not a plain type: the method checks its values itself
    if isinstance(value, bool):
        fits = bool in allowed
    elif isinstance(value, int):
        fits = int in allowed or float in allowed
    else:
        fits = isinstance(value, allowed)
    if not fits:
        wanted = " or ".join(name_of(kind) for kind in allowed)
        found = shown(repr(value))
        raise InputError(f"{where}={found} is a {type(value).__name__}; wanted {wanted}")
