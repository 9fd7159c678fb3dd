"""What comes from outside is shown on one line, without steering the terminal."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench import limits
from clusterbench.errors import ClusterbenchError, InputError, StorageError
from clusterbench.limits import NAME, check_name, name_fault
from clusterbench.printable import MESSAGE_LENGTH, escaped, is_control, one_line, shown

ANY = st.text(st.characters(), max_size=300)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        ("Füße 東京 \U0001f600", "Füße 東京 \U0001f600"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner that the word needs
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("no\u00a0break", "no\u00a0break"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\u202eevil\u2066\u2028\u200b\ufeff", "\\u202eevil\\u2066\\u2028\\u200b\\ufeff"),
        ("\udc80", "\\udc80"),
    ],
)
def test_control_characters_are_escaped_and_text_stays(text: str, wanted: str) -> None:
    assert escaped(text) == wanted
    assert shown(text) == wanted


@given(ANY)
def test_what_is_shown_has_no_control_character(text: str) -> None:
    assert not any(is_control(c) for c in shown(text))
    assert not any(is_control(c) for c in one_line(text))


@given(ANY, st.integers(50, 200))
def test_one_line_is_short_and_stays_when_it_is_shown_again(text: str, length: int) -> None:
    line = one_line(text, length)
    assert one_line(line, 10 * length) == line


def test_long_texts_keep_their_ends() -> None:
    text = "begin" + "x" * 100_000 + "end"
    cut = shown(text)
    assert len(cut) == 200 and cut.startswith("begin") and cut.endswith("end")
    assert "(100,008 characters)" in cut
    assert len(shown("\x1b" * 100_000)) == 200


@pytest.mark.parametrize("kind", [ClusterbenchError, InputError, StorageError])
def test_an_error_is_one_printable_line_whatever_it_names(kind: type[ClusterbenchError]) -> None:
    error = kind("file \x1b[2J\n  x: " + "y" * 20_000_000)
    assert str(error).startswith("file \\x1b[2J x: y") and len(str(error)) <= MESSAGE_LENGTH
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and type(again) is kind


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("kmeans", ""),
        ("ViT-B/16 (東京)", ""),
        ("x" * NAME, ""),
        ("", "is empty"),
        (" \t", "is empty"),
        ("x" * (NAME + 1), "has 201 characters; wanted at most 200"),
        (" a", "begins or ends with a blank"),
        ("a\nb", "holds the control character U+000A"),
        ("a\u202eb", "holds the control character U+202E"),
        ("a\x00", "holds the control character U+0000"),
        ("heart \u2764\ufe0f", ""),
        ("1\ufe0f\u20e3", ""),
        ("e\u0301te\u0301", ""),
        ("kmeans\ufe0f", "holds U+FE0F, which cannot be seen"),
        ("kmeans\U000e0100", "holds U+E0100, which cannot be seen"),
        ("k\u180bmeans", "holds U+180B, which cannot be seen"),
        ("k\uffff", "holds U+FFFF, which cannot be seen"),
        ("k\ue000", "holds U+E000, which cannot be seen"),
        ("\u0300k", "holds the mark U+0300 on no letter, or too many"),
        ("k" + "\u0301" * 9, "holds the mark U+0301 on no letter, or too many"),
    ],
)
def test_names_are_printable_and_short(name: str, fault: str) -> None:
    assert name_fault(name).startswith(fault) and bool(name_fault(name)) == bool(fault)
    if not fault:
        assert check_name(name, "method") == name
    else:
        with pytest.raises(InputError, match=r"^method '.*' (is|has|holds|begins)"):
            check_name(name, "method")


@pytest.mark.parametrize("value", [None, 3, ["a"], b"a"])
def test_a_name_is_a_text(value: object) -> None:
    with pytest.raises(InputError, match="wanted a text"):
        check_name(value, "method")


def test_every_limit_is_set_once() -> None:
    tree = ast.parse(Path(limits.__file__).read_text(encoding="utf-8"))
    names = [
        node.id
        for statement in tree.body
        if isinstance(statement, (ast.Assign, ast.AnnAssign))
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    assert len(names) > 30
    assert [name for name in names if names.count(name) > 1] == []
