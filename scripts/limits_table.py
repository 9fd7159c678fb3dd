"""Print, or write into docs/security.md, the limits of what is read."""

from __future__ import annotations

import documents

from clusterbench import limits, printable

DOCUMENT = documents.DOCS / "security.md"


def table() -> str:
    """Markdown tables: a row per kind of file, and a row per limit of values."""
    kinds = sorted(
        (value for value in vars(limits).values() if isinstance(value, limits.FileKind)),
        key=lambda kind: (kind.largest, kind.what),
    )
    files = "".join(f"| {kind.what} | {_size(kind.largest)} |\n" for kind in kinds)
    values = "".join(f"| {what} | {limit} |\n" for what, limit in _values())
    return f"| file | at most |\n|---|--:|\n{files}\n| value | limit |\n|---|--:|\n{values}"


def _values() -> list[tuple[str, str]]:
    return [
        ("levels of a JSON or TOML file", f"{limits.DEPTH}"),
        (
            "a setting or a diagnostic of free form: levels, values, characters of a text",
            f"{limits.FREE_DEPTH}, {limits.FREE_VALUES:,}, {limits.FREE_TEXT:,}",
        ),
        (
            "values in a result, in a leaderboard",
            f"{limits.RESULT.values:,}, {limits.BOARD.values:,}",
        ),
        (
            "settings of a method, its diagnostics: characters as JSON",
            f"{limits.SETTINGS:,}, {limits.DIAGNOSTICS:,}",
        ),
        ("parts of a dotted TOML key", f"{limits.KEY_PARTS}"),
        ("whole numbers in JSON and TOML", "64 bits"),
        ("characters of a name (method, encoder, data set, task ...)", f"{limits.NAME}"),
        ("characters of a class's name", f"{limits.CLASS_NAME:,}"),
        ("bytes of a sample's id", f"{limits.SAMPLE_ID:,}"),
        ("folders within each other, among images", f"{limits.FOLDER_DEPTH}"),
        ("seeds", f"0 to {limits.SEEDS - 1:,}"),
        ("seeds of one call", f"{limits.SEED_COUNT:,}"),
        ("rows of a store or of a file of labels", f"{limits.ROWS:,}"),
        ("dimensions", f"{limits.DIMENSIONS:,}"),
        ("Euclidean length of a feature given to a method", f"{limits.ROW_LENGTH:.0e}"),
        ("values among a method's settings", f"{limits.SETTING_VALUES:,}"),
        (
            "encoders of a data set, tasks of a benchmark for one, arrays of an archive",
            f"{limits.STORES:,}, {limits.TASKS:,}, {limits.ARCHIVE_MEMBERS:,}",
        ),
        ("bytes of a path in a declaration", f"{limits.PATH:,}"),
        ("nodes, levels of a class tree", f"{limits.TREE_NODES:,}, {limits.TREE_DEPTH:,}"),
        ("largest ratio, ratios of a series", f"{limits.RATIO:,.0f}, {limits.SERIES}"),
        ("clusters named for an image", f"{limits.RANKS:,}"),
        (
            "an array unpacked from a compressed file",
            f"{_size(limits.UNPACKED)}, or {limits.UNPACKED_TIMES} times its size there (labels)",
        ),
        (
            "values in a JSON file of labels, with a key each",
            f"{limits.JSON_VALUES:,}, {limits.JSON_VALUES // (limits.JSON_KEY + 1):,}",
        ),
        ("a line of a CSV file of labels", _size(limits.LINE)),
        ("the footer of a Parquet file of labels", _size(limits.PARQUET_FOOTER)),
        ("the header of a saved head", _size(limits.HEAD_HEADER)),
        ("characters of an error message", f"{printable.MESSAGE_LENGTH:,}"),
        ("characters of a name shown in a table", f"{printable.SHOWN_LENGTH}"),
    ]


def _size(nbytes: int) -> str:
    return f"{nbytes >> 20:,} MiB"


if __name__ == "__main__":
    documents.main(DOCUMENT, "limits", table, __doc__)
