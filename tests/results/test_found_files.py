"""Result files in folders: none is passed over in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.errors import InputError
from clusterbench.results.found_files import found_results
from clusterbench.results.record import read_result

Cli = Callable[..., tuple[int, str, str]]
NAME = "d" * 250  # in so many folders that the path of the last one is longer than any may be
DEPTH = 20


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder of results with one in it that nobody can read by its path, root included."""
    folder, here = tmp_path / "results", Path.cwd()
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "seed-0.json").write_text("{}")
    os.chdir(folder)
    for _ in range(DEPTH):
        Path(NAME).mkdir()
        os.chdir(NAME)
    Path("seed-1.json").write_text("{}")
    os.chdir(here)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_read_is_listed_and_reading_it_says_why(deep: Path) -> None:
    unread, first = sorted(found_results([deep]), key=lambda path: path.name)
    assert first == deep / "a" / "seed-0.json"
    assert unread.name == NAME and len(str(unread)) > 4_000
    with pytest.raises(InputError, match=r"cannot be read \(File name too long\)"):
        read_result(unread)


def test_the_verbs_name_it(deep: Path, cli: Cli) -> None:
    code, out, err = cli("validate", str(deep))
    assert code == 1 and out.count("File name too long") == 1
    code, out, err = cli("submit", str(deep), "-l", "board.json")
    assert code == 1 and err.count("File name too long") == 1 and "2 refused" in out


#: As root: without the rights to read what a folder's mode forbids.
PLAIN = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.name != "nt" else ()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="modes of folders")
@pytest.mark.skipif(
    os.name != "nt" and os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="root may read everything",
)
def test_folders_whose_modes_forbid_it(tiny_world: SimpleNamespace, cli: Cli) -> None:
    (path, *_) = [outcome.run.path for outcome in tiny_world.run().outcomes]
    root = path.parents[4]
    assert cli("submit", str(root), "-l", "board.json")[0] == 0

    def told(*words: str) -> tuple[int, str]:
        before = PLAIN if os.geteuid() == 0 else ()
        command = (*before, sys.executable, "-m", "clusterbench", *words)
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return found.returncode, found.stdout + found.stderr

    forbidden = path.parents[1]
    forbidden.chmod(0)
    try:
        for words in (("submit", "-l", "other.json"), ("validate",)):
            code, text = told(*words, str(root))
            assert code == 1, text
            assert f"{forbidden}: is a folder that cannot be read (Permission denied)" in text
            code, text = told(*words, str(forbidden))  # by itself
            assert code == 2 and f"{forbidden}' is not readable" in text
        code, text = told("leaderboard", "check", "-l", "board.json", str(root))
        assert f"{forbidden}: is a folder that cannot be read (Permission denied)" in text
        code, text = told("report", str(root), "--out", "report.html")
        assert "is a folder that cannot be read (Permission denied)" in text
    finally:
        forbidden.chmod(0o755)
