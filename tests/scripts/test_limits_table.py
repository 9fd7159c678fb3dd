"""docs/security.md states the limits that hold."""

from __future__ import annotations

import limits_table

from clusterbench import limits


def test_the_document_has_the_table_of_the_module() -> None:
    assert limits_table.table() in limits_table.DOCUMENT.read_text(encoding="utf-8")


def test_every_kind_of_file_has_a_row() -> None:
    kinds = [value for value in vars(limits).values() if isinstance(value, limits.FileKind)]
    assert len(kinds) > 10
    assert all(f"| {kind.what} |" in limits_table.table() for kind in kinds)
