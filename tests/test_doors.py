"""Files come in through doors: regular, small enough, not too deep; else one clear line."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.doors import (
    open_regular,
    parse_json,
    parse_toml,
    read_bytes,
    read_json,
    read_text,
)
from clusterbench.errors import InputError
from clusterbench.limits import DEPTH, KEY_PARTS, FileKind

SMALL = FileKind("a note", 1_000_000, "split it")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


def circle(path: Path) -> None:
    path.symlink_to("other")
    path.with_name("other").symlink_to(path.name)


NOT_REGULAR: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "is a folder; wanted a regular file"),
    "pipe": (pipe, "is a pipe; wanted a regular file"),
    "socket": (listening, "is a socket; wanted a regular file"),
    "link to a device": (lambda path: path.symlink_to("/dev/zero"), "is a device; wanted a"),
    "link to a pipe": (lambda path: pipe(path.with_name("p")) or path.symlink_to("p"), "is a pipe"),
    "link to nothing": (lambda path: path.symlink_to("gone"), "is a link to a file that is not"),
    "circle of links": (circle, "is a link that leads round in a circle"),
    "below a file": (
        lambda path: path.parent.rmdir() or path.parent.write_text(""),
        "no such file",
    ),
    "too large": (
        lambda path: path.write_bytes(bytes(1_000_001)),
        "has 1.0 MB; a note has at most 1 MB; split it",
    ),
}


@pytest.mark.parametrize("name", NOT_REGULAR)
def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, message = NOT_REGULAR[name]
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = Path("folder/x")
    path.parent.mkdir()
    make(path)
    for read in (open_regular, read_bytes, read_text, read_json):
        with pytest.raises(InputError) as caught:
            read(path, SMALL)
        assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("path", ["a\0b", "x" * 5_000, "/" * 5_000 + "x" * 300])
def test_a_path_that_the_system_refuses_is_an_input_error(path: str) -> None:
    with pytest.raises(InputError):
        open_regular(Path(path))


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbftext")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link", SMALL) == "text"


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc\xff")
    with pytest.raises(InputError, match=r"x: not UTF-8 text \(byte 3 is 0xff\); save it as UTF-8"):
        read_text(tmp_path / "x", SMALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[" * (DEPTH + 2) + "]" * (DEPTH + 2), "nested too deeply; wanted at most 32 levels"),
        ('{"a": ' * 500 + "1" + "}" * 500, "nested too deeply"),
        ('{"a": NaN}', "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("1e999", "holds inf; wanted finite numbers"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' occurs twice"),
        (str(2**63), f"the whole number {2**63} has more than 64 bits"),
        ("9" * 4_000, "the whole number of 13288 bits has more than 64 bits"),
        ("9" * 5_000, "4300"),
        (json.dumps("x" * 1_000_001), "a text of 1,000,001 characters; wanted at most 1,000,000"),
        (json.dumps({"x" * 1_000_001: 1}), "a key of 1,000,001 characters"),
        ("{", "not whole JSON"),
        ("", "not whole JSON"),
        ("\xff", "not whole JSON"),
        ('"\x00"', "not whole JSON"),
    ],
)
def test_what_is_no_json_within_limits_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(text, "some.json", repair="write it again")
    line = str(caught.value)
    assert line.startswith("some.json: ") and message in line and line.endswith("write it again")
    assert len(line) < 2_100


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES)
def test_json_within_the_limits_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value), "x") == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_a_value_or_an_input_error(content: bytes) -> None:
    for parse in (parse_json, parse_toml):
        try:
            parse(content, "x")  # type: ignore[operator]
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * (KEY_PARTS + 2)) + " = 1",
        "[" + " . ".join(['"a"', "b"] * KEY_PARTS) + "]",
        "x = {" + ".".join(["a"] * 100_000) + " = 1}",
    ],
)
def test_a_key_of_many_parts_is_refused_before_the_parser_sees_it(text: str) -> None:
    with pytest.raises(InputError, match="line 1: a key of more than 64 parts"):
        parse_toml(text.encode(), "x")


def test_dots_in_texts_are_no_parts_of_keys() -> None:
    dots = ".".join(["a"] * 200)
    assert parse_toml(f"a = \"{dots}\"\nb = '{dots}'\n# {'.' * 200}".encode(), "x") == {
        "a": dots,
        "b": dots,
    }


def test_toml_keeps_infinity_for_the_one_who_asks() -> None:
    assert parse_toml(b"a = inf", "x") == {"a": float("inf")}
