"""Given a folder, when a site is built there, it is the old one or the new one, or left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clusterbench.errors import InputError, StorageError
from clusterbench.leaderboard.site.site_folder import MARKER, new_site


def write(folder: Path, text: str) -> None:
    (folder / "pages").mkdir()
    (folder / "index.html").write_text(text)
    (folder / "pages" / f"{text}.html").write_text(text)


def build(out: Path, text: str) -> None:
    with new_site(out) as folder:
        write(folder, text)


def held(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_a_new_site_and_one_that_takes_its_place(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "site"
    build(out, "old")
    assert held(out) == {"index.html", "pages/old.html", MARKER}
    build(out, "new")
    assert held(out) == {"index.html", "pages/new.html", MARKER}
    assert [path.name for path in out.parent.iterdir()] == ["site"]
    assert out.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_empty_folder_is_taken_and_a_link_leads_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    build(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "index.html").read_text() == "new"


def test_an_error_leaves_the_old_site_and_nothing_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(out, "old")
    with pytest.raises(RuntimeError), new_site(out) as folder:
        write(folder, "new")
        raise RuntimeError
    assert held(out) == {"index.html", "pages/old.html", MARKER}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda out: out.write_text("mine"), "is no folder"),
        (lambda out: (out.mkdir(), (out / "index.html").write_text("mine")), "is no site"),
        (lambda out: (build(out, "old"), (out / "CNAME").write_text("mine")), "holds CNAME"),
        (lambda out: (build(out, "old"), (out / "x\x1b").write_text("")), r"holds x\\x1b"),
        (lambda out: (build(out, "old"), (out / "up").symlink_to("..")), "holds up"),
        (lambda out: (out.mkdir(), (out / MARKER).write_text("[]")), "is no list"),
        (lambda out: (out.mkdir(), (out / MARKER).write_text("{")), "not whole JSON"),
    ],
)
def test_what_is_not_a_site_is_refused_and_left_as_it_is(
    tmp_path: Path, make: object, message: str
) -> None:
    out = tmp_path / "site"
    make(out)  # type: ignore[operator]
    before = sorted(os.walk(tmp_path))
    with pytest.raises(InputError, match=message):
        build(out, "new")
    assert sorted(os.walk(tmp_path)) == before


def test_a_file_that_is_put_there_meanwhile_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(out, "old")
    with pytest.raises(InputError, match="holds mine"), new_site(out) as folder:
        write(folder, "new")
        (out / "mine").write_text("mine")
    assert held(out) == {"index.html", "pages/old.html", MARKER, "mine"}


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="choose another folder"):
        build(tmp_path / "file" / "site", "new")


KILLED = """
import sys
from pathlib import Path
from clusterbench.leaderboard.site.site_folder import new_site

number = 0
print("ready", flush=True)
while True:
    number += 1
    with new_site(Path(sys.argv[1])) as folder:
        for i in range(20):
            (folder / f"{i}.html").write_text(f"{number}")
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="two renames elsewhere")
def test_a_kill_at_any_moment_leaves_a_whole_site(tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(out, "old")
    for trial in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.02 + 0.03 * trial)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        numbers = {path.read_text() for path in out.glob("*.html")}
        assert len(numbers) == 1
        assert held(out) >= {MARKER} and len(held(out)) in (3, 21)
