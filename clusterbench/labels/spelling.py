"""Labels written as text: numbers where every one is spelled as numbers are written, else names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_WHOLE = r"^(?:0|-?[1-9][0-9]*)$"
_FLOAT = r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"
_TRUTH = ("true", "True", "TRUE", "false", "False", "FALSE")
#: What tools write where a number is missing.
_MISSING = (
    *("", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan"),
    *("NULL", "null", "None", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN"),
)


def as_spelled(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as numbers if they are such, null where one is missing; else the texts unchanged.

    They are whole numbers if each is written as Python writes one (`7`, `-1`; not `07`, `+7` or
    `7e0`), and floats if each is written with a point, as Python writes one (`7.0`, `0.5`); blanks
    around them count for nothing. Different texts never become one number: where that would
    happen, all of them are names. Texts that all say true or false become booleans.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(texts) == 0:
        return texts
    encoded = texts.dictionary_encode()
    found = encoded.chunk(0).dictionary
    trimmed = pc.ascii_trim(found, characters=" \t")
    missing = pc.is_in(trimmed, value_set=pa.array(_MISSING, trimmed.type))
    given = trimmed.filter(pc.invert(missing))
    if pc.all(pc.is_in(given, value_set=pa.array(_TRUTH, given.type))).as_py():
        return pa.chunked_array([pa.array([True] * len(texts))])
    numbers = _numbers(given)
    if numbers is None:
        return texts
    places = pc.if_else(missing, None, pc.cumulative_sum(pc.cast(pc.invert(missing), pa.int64())))
    values = numbers.take(pc.subtract(places, 1))
    return pa.chunked_array([values.take(chunk.indices) for chunk in encoded.chunks])


def has_whole_numbers(texts: pa.ChunkedArray) -> bool:
    """Whether one of some texts is spelled as a whole number is, or there are none."""
    import pyarrow.compute as pc

    found = pc.any(pc.match_substring_regex(pc.ascii_trim(texts, characters=" \t"), _WHOLE))
    return found.as_py() is not False


def _numbers(texts: pa.Array) -> pa.Array | None:
    """Distinct texts as numbers, of which no two are equal; None where they are no numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.count_distinct(texts).as_py() < len(texts):  # blanks are all that tells some apart
        return None
    if pc.all(pc.match_substring_regex(texts, _WHOLE)).as_py() is not False:
        for kind in (pa.int64(), pa.uint64()):
            try:
                return texts.cast(kind)
            except pa.ArrowInvalid:
                continue
        return None
    if pc.all(pc.match_substring_regex(texts, _FLOAT)).as_py():
        floats = [float(text) for text in texts.to_pylist()]
        written = [repr(number) for number in floats]
        if written == texts.to_pylist() and "-0.0" not in written:
            return pa.array(floats, pa.float64())
    return None
