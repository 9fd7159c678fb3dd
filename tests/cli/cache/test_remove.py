"""What `clusterbench cache remove` removes, and whom it asks before."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from cache_toys import one_line, repair
from store_toys import files, stamps, write_store


def test_remove_says_what_it_freed_and_leaves_other_files(cache, st):
    (st / "notes.txt").write_text("mine")
    size = sum(len(content) for name, content in files(st).items() if name != "notes.txt")
    code, out, _ = cache("remove", "--yes", "st")
    assert (code, out) == (0, f"st: {size / 1000:.1f} kB removed; left in the folder: notes.txt\n")
    assert files(st) == {"notes.txt": b"mine"}


def test_remove_of_several_of_which_one_is_no_store_removes_none(cache, st, tmp_path):
    before = stamps(st)
    code, _, err = cache("remove", "--yes", "st", "birds")
    assert code == 2 and one_line(err) and "birds is not a feature store; nothing was rem" in err
    assert stamps(st) == before
    write_store(tmp_path / "two")
    assert cache("remove", "--yes", "st", "two", "st/")[0] == 0
    assert not st.exists() and not (tmp_path / "two").exists()


def test_unfinished_and_packed_stores_can_be_removed(cache, st, tmp_path):
    assert cache("pack", "st", "--output", "one.hdf5")[0] == 0
    (st / "store.json").rename(st / "extraction.json")
    assert cache("remove", "--yes", "st", "one.hdf5")[0] == 0
    assert not st.exists() and not (tmp_path / "one.hdf5").exists()


CLAIM = """
import sys
from pathlib import Path
from clusterbench.features.store.claims import Claims
with Claims(Path(sys.argv[1])) as claims:
    claims.take(0)
    print("claimed", flush=True)
    sys.stdin.readline()
"""


def test_a_store_that_is_being_extracted_is_not_removed_nor_repaired(cache, st):
    (st / "shard-00000.h5").unlink()
    worker = subprocess.Popen(
        [sys.executable, "-c", CLAIM, st], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdout.readline() == b"claimed\n"
    before = stamps(st)
    for words in (("remove", "--yes", "st"), ("repair", "st")):
        code, _, err = cache(*words)
        assert code == 2 and one_line(err) and "st is being extracted now" in err
    assert stamps(st) == before
    worker.communicate(b"\n", timeout=60)
    assert repair(cache, "st")[0] == 0


def test_where_nobody_can_answer_remove_asks_for_yes(cache, st):
    code, _, err = cache("remove", "st")
    assert code == 2 and one_line(err) and "Say --yes where nobody can answer" in err
    assert st.is_dir()


def answered(tiny_world, answer, *words):
    """The real command on a terminal: (exit code, what it shows); answer: bytes typed, a signal."""
    main, other = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "clusterbench", "cache", *words],
        stdin=other, stdout=other, stderr=other, env=tiny_world.environment(),
        start_new_session=True,
        # Ignored, and inherited so, where the tests themselves run in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    os.close(other)
    shown = b""
    while b"?" not in shown:
        shown += os.read(main, 1000)
    time.sleep(0.3)
    if isinstance(answer, bytes):
        os.write(main, answer)
    else:
        child.send_signal(answer)
    while True:
        try:
            part = os.read(main, 1000)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(main)
    return child.wait(timeout=60), shown.decode()


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    "answer", [b"n\n", b"\n", b"\x04", signal.SIGINT], ids=["no", "enter", "ctrl-d", "ctrl-c"]
)
def test_without_a_yes_nothing_is_removed(tiny_world, tmp_path, answer):
    store = write_store(tmp_path / "given")
    before = stamps(store.path)
    code, shown = answered(tiny_world, answer, "remove", "given")
    assert code in (1, 130) and "Remove given (" in shown
    assert "nothing was removed" in shown or code == 130
    assert "unexpected" not in shown and "Traceback" not in shown
    assert stamps(store.path) == before


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_with_a_yes_it_is_removed(tiny_world, tmp_path):
    write_store(tmp_path / "given")
    code, shown = answered(tiny_world, b"y\n", "remove", "given")
    assert code == 0 and " removed" in shown
    assert not (tmp_path / "given").exists()
