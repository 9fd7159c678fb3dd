"""Which columns of a wide table are the features: those of one numbered family, or those named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ...catalog import unknown_name
from ...errors import InputError
from ...printable import shown
from .roles import role_of

#: f0, dim_12, 7, emb[3], PC1: what stands before the number, the number, what closes it.
_NUMBERED = re.compile(r"(.*?)(\d{1,9})([^0-9A-Za-z]*)")
_SHOWN = 8


@dataclass(frozen=True)
class Columns:
    """Columns taken as features, in the order of the file, and what to note of their numbers."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The columns in a few words: "f0 to f5 (6 columns)"."""
        if len(self.names) == 1:
            return self.names[0]
        return f"{self.names[0]} to {self.names[-1]} ({len(self.names):,} columns)"


def choose_columns(
    path: Path,
    kinds: Mapping[str, str | None],
    used: Mapping[str, str],
    wanted: str | None,
) -> Columns:
    """The columns of features of a table that has one for each dimension.

    Args:
        path: the file, for messages.
        kinds: column -> float16, float32 or float64, or None for one that holds no floats.
        used: column -> what else it is taken for; such a column is never a feature.
        wanted: names, patterns (`f*`) or the beginning of numbered names (`f`), with commas between
            them; None for the only family of columns whose names differ in a number alone. A
            column whose name says that it is something else is taken only if it is named.

    Raises:
        InputError: where there is no such family or more than one, for two columns of one number,
            for a number whose column holds no floats, and for names that are not there.
    """
    named = {name: role for name in kinds if (role := role_of(name)) and name not in used}
    roles = {**named, **used}
    floats = [name for name, kind in kinds.items() if kind and name not in roles]
    families: dict[tuple[str, str], list[str]] = {}
    for name in floats:
        if match := _NUMBERED.fullmatch(name.strip()):
            families.setdefault((match[1], match[3]), []).append(name)
    if wanted is not None:
        taken = _named(path, kinds, used, floats, wanted)
    else:
        several = [names for names in families.values() if len(names) > 1]
        if not several and len(floats) == 1 and families:
            several = [floats]
        if len(several) != 1:
            raise _unclear(path, floats, several, roles)
        taken = several[0]
    notes = _numbering(path, kinds, roles, taken)
    return Columns(tuple(taken), tuple(notes))


def refuse_used(path: Path, name: str, used: Mapping[str, str]) -> None:
    """InputError for a column or array of features that is taken for something else, too."""
    if name in used:
        raise InputError(
            f"{path}: {shown(repr(name))} would be both features and {used[name]}; give one of "
            "them another column"
        )


def listed(names: Sequence[str]) -> str:
    """The first names of many, for a message."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(shown(name, 60) for name in names[:_SHOWN]) + more


def _named(
    path: Path,
    kinds: Mapping[str, str | None],
    used: Mapping[str, str],
    floats: Sequence[str],
    wanted: str,
) -> list[str]:
    taken: set[str] = set()
    for part in [wanted] if wanted in kinds else wanted.split(","):
        part = part.strip()
        if part in kinds:
            refuse_used(path, part, used)
            if not kinds[part]:
                raise InputError(f"{path}: {shown(repr(part))} holds no floats; wanted features")
            taken.add(part)
            continue
        matching = [name for name in floats if fnmatchcase(name, part)]
        if not matching:
            matching = [
                name
                for name, kind in kinds.items()
                if kind and name not in used
                if (match := _NUMBERED.fullmatch(name.strip())) and match[1] == part
            ]
        if not matching:
            raise InputError(f"{path}: {unknown_name('column', part, list(kinds)[:1000])}")
        taken.update(matching)
    return [name for name in kinds if name in taken]


def _unclear(
    path: Path,
    floats: Sequence[str],
    families: Sequence[Sequence[str]],
    roles: Mapping[str, str],
) -> InputError:
    if families:
        found = "; ".join(f"{names[0]} to {names[-1]}" for names in families[:4])
        prefix = match[1] if (match := _NUMBERED.fullmatch(families[0][0].strip())) else ""
        example = f"{prefix}*" if prefix else "[0-9]*"
        return InputError(
            f"{path}: has {len(families)} series of columns of floats ({found}); say which are "
            f"the features with --array, for example --array {shown(repr(example), 60)}"
        )
    if floats:
        return InputError(
            f"{path}: holds the columns of floats {listed(floats)}, which are not numbered, so "
            "which of them are features? Name them with --array, with commas between them, or a "
            "pattern"
        )
    others = listed([f"{name} ({role})" for name, role in roles.items()])
    return InputError(
        f"{path}: holds {others or 'nothing'}; wanted a column of lists of floats, or a column of "
        "floats for each dimension"
    )


def _numbering(
    path: Path, kinds: Mapping[str, str | None], roles: Mapping[str, str], taken: Sequence[str]
) -> list[str]:
    """Notes on the numbers of the columns of each family; InputError for one that is not sound."""
    families: dict[tuple[str, str], dict[int, str]] = {}
    for name in taken:
        match = _NUMBERED.fullmatch(name.strip())
        if match is None:
            continue
        numbers = families.setdefault((match[1], match[3]), {})
        if (other := numbers.setdefault(int(match[2]), name)) != name:
            raise InputError(
                f"{path}: the columns {shown(repr(other))} and {shown(repr(name))} have one "
                "number; rename or leave out one"
            )
    notes = []
    for (prefix, end), numbers in families.items():
        low, high = min(numbers), max(numbers)
        if len(numbers) < 2 or high - low + 1 == len(numbers):
            continue
        for name in kinds:
            match = _NUMBERED.fullmatch(name.strip())
            if (
                match
                and (match[1], match[3]) == (prefix, end)
                and name not in roles
                and low < int(match[2]) < high
                and int(match[2]) not in numbers
                and kinds[name] is None
            ):
                raise InputError(
                    f"{path}: the column {shown(repr(name))} among {numbers[low]} to "
                    f"{numbers[high]} holds no floats; write it as floats, or rename it"
                )
        missing = next(number for number in range(low, high) if number not in numbers)
        count = high - low + 1 - len(numbers)
        notes.append(
            f"{path.name}: the columns {numbers[low]} to {numbers[high]} lack {count:,} of the "
            f"numbers, {'the first of them ' if count > 1 else ''}{missing}"
        )
    return notes
