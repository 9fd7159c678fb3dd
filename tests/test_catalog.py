"""What is registered by name: found, checked, and named when it is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.catalog import Registry, read_toml
from clusterbench.errors import InputError

MODULES = {
    "base.py": "class Animal:\n    name = 'animal'\n",
    "cats.py": "from .base import Animal\nclass Cat(Animal):\n    name = 'cat'\n"
    "LION = Cat()\nLION.name = 'tiger'\n",
    "plug.py": "from zoo.base import Animal\nclass Dog(Animal):\n    name = 'dog'\nSTONE = 3\n",
}
ENTRY_POINTS = """[zoo.animals]
dog = zoo.plug:Dog
wolf = zoo.plug:Dog
stone = zoo.plug:STONE
ghost = zoo.plug:Ghost
cat = zoo.plug:Dog
"""


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[type]:
    """Two built-in animals, and a package that adds one and four mistakes."""
    (tmp_path / "zoo").mkdir()
    for name, text in {"__init__.py": "", **MODULES}.items():
        (tmp_path / "zoo" / name).write_text(text)
    info = tmp_path / "zoo_plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-plug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        monkeypatch.delitem(sys.modules, module)
    return Registry(
        "animal",
        {"cat": "cats:Cat", "lion": "cats:LION"},
        package="zoo",
        base="base:Animal",
        entry_points="zoo.animals",
    )


def test_built_in_names_come_first_and_win(animals: Registry[type]) -> None:
    assert animals.names() == ["cat", "lion", "dog", "ghost", "stone", "wolf"]
    assert animals.get("cat").__name__ == "Cat" and animals.get("dog").__name__ == "Dog"
    assert "dog" in animals and "cow" not in animals
    assert (animals.module_of("Cat"), animals.module_of("Animal")) == ("cats", "base")
    assert animals.module_of("Dog") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cad", "unknown animal 'cad'; did you mean cat"),
        ("lion", r"animal 'lion' \(cats:LION\) calls itself 'tiger'; give both the same name"),
        ("wolf", r"animal 'wolf' \(zoo\.plug:Dog\) calls itself 'dog'; give both the same name"),
        ("stone", "entry point zoo.plug:STONE of animal 'stone' is 3; expected a subclass of zoo"),
        ("ghost", "entry point zoo.plug:Ghost of animal 'ghost' cannot be loaded .*; mend or un"),
    ],
)
def test_what_is_wrong_is_named(animals: Registry[type], name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        animals.get(name)


def test_listing_names_imports_nothing(animals: Registry[type]) -> None:
    animals.names()
    assert not [name for name in sys.modules if name.startswith("zoo")]


def test_a_package_that_cannot_be_loaded_hides_no_other_method(
    cli: object, tiny_world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "broken_plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[clusterbench.methods]\ngone = no_such_module:X\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code, out, err = cli("list", "methods")  # type: ignore[operator]
    assert code == 0 and "kmeans" in out and "modulo" in out and "gone" not in out
    assert "left out: entry point no_such_module:X of method 'gone' cannot be loaded" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        ("a = " + "9" * 5_000, "4300"),
        ("a = [1, {b = 9223372036854775808}]", "9223372036854775808 has more than 64 bits"),
        ("a = -9223372036854775809", "more than 64 bits"),
        ("a = ", "not valid TOML"),
    ],
)
def test_what_is_not_toml_is_one_error_that_names_the_file(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "some.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"{path}: not valid TOML")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "link.toml").symlink_to(tmp_path / "gone.toml")
    for path, found in (
        (tmp_path, "is a folder; wanted a regular file"),
        (tmp_path / "link.toml", "is a link to a file that is not there"),
        (tmp_path / "gone.toml", "no such file"),
    ):
        with pytest.raises(InputError) as caught:
            read_toml(path)
        assert str(caught.value) == f"{path}: {found}"


def test_the_whole_numbers_of_toml_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_text("a = [-9223372036854775808, 9223372036854775807]")
    assert read_toml(path) == {"a": [-(2**63), 2**63 - 1]}
