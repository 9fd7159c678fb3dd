from dataclasses import dataclass

import pytest

from clusterbench.benchmarks import declaration
from clusterbench.declared import from_table
from clusterbench.errors import InputError

HEAD = 'name = "toy"\ntitle = "T"\nquestion = "Q?"\ndescription = "D"\n'
GOOD = (
    HEAD
    + """
[datasets.icons]
tasks = [
  { name = "a", builder = "ratio", ratio = 1 },
  { name = "b", builder = "ratio", seed = 5 },
]
[datasets.icons.defaults.ratio]
ratio = 3
seed = 4
"""
)


def write(folder, text, name="toy"):
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_takes_its_builders_defaults_and_its_own_keys_win(tmp_path):
    found = declaration.read(write(tmp_path, GOOD))
    a, b = found.datasets["icons"]
    assert (a.name, a.builder, dict(a.params)) == ("a", "ratio", {"ratio": 1, "seed": 4})
    assert dict(b.params) == {"ratio": 3, "seed": 5}
    assert (found.name, found.title, found.question) == ("toy", "T", "Q?")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("title", "titel"), "unknown key 'titel'; did you mean title"),
        (GOOD.replace('question = "Q?"\n', ""), "the key 'question' is missing"),
        (GOOD.replace('"toy"', '"tog"'), "name = 'tog'; it must be the file's, 'toy'"),
        (GOOD.replace("tasks =", "task ="), "datasets.icons: unknown key 'task'; did you mean"),
        (GOOD.replace('"b"', '"a"'), "task 2: the name 'a' is taken"),
        (GOOD.replace('"b"', '"b/c"'), "name = 'b/c' should hold letters"),
        (GOOD.replace('{ name = "a", builder = "ratio", ratio = 1 }', "7"), "task 1: found 7"),
        (GOOD.replace('builder = "ratio", ratio', "ratio"), "task 1: the key 'builder' is missing"),
        (GOOD.replace("defaults.ratio", "defaults.window"), "defaults.window belongs to no task"),
        (HEAD + "[datasets.icons]\ntasks = []", "tasks must be a list"),
        (HEAD + "[datasets]\nicons = 3", "icons = 3 should be a table"),
        (HEAD, "the key 'datasets' is missing"),
        ("name = ", "not valid TOML"),
    ],
)
def test_mistakes_name_the_file_and_the_key(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        declaration.read(path)
    assert str(path) in str(caught.value)


def test_the_users_folder_is_searched_first(tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    (tmp_path / "benchmarks").mkdir()
    write(tmp_path / "benchmarks", GOOD)
    write(tmp_path / "benchmarks", GOOD.replace('"toy"', '"easy"'), "easy")
    assert {"toy", "easy", "granularity", "imbalanced"} <= set(declaration.names())
    assert declaration.find("easy").title == "T"
    assert declaration.find("imbalanced").title == "Class imbalance"
    for wrong in ("imbalance", "../benchmarks/toy"):
        with pytest.raises(InputError, match="unknown benchmark"):
            declaration.find(wrong)


@dataclass(frozen=True)
class Params:
    size: int
    share: float = 0.5
    flag: bool = False
    names: tuple[str, ...] = ()
    limit: int | None = None


def test_parameters_are_read_by_type():
    found = from_table(Params, {"size": 2, "share": 1, "names": ["a"], "limit": 3}, "f")
    assert found == Params(2, 1.0, False, ("a",), 3)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"size": 2, "shares": 1.0}, "f: unknown key 'shares'; did you mean share"),
        ({}, "f: the key 'size' is missing"),
        ({"size": 2.0}, "f: size = 2.0 should be a whole number"),
        ({"size": True}, "f: size = True should be a whole number"),
        ({"size": 2, "flag": "False"}, "f: flag = 'False' should be true or false"),
        ({"size": 2, "names": "ab"}, "f: names = 'ab' should be a list"),
        ({"size": 2, "limit": "3"}, "f: limit = '3' should be a whole number"),
    ],
)
def test_wrong_parameters_name_the_key(table, message):
    with pytest.raises(InputError, match=message):
        from_table(Params, table, "f")
