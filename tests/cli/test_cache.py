import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from extraction_toys import make_images
from store_toys import files, flip, stamps, write_store

from clusterbench import FeatureStore
from clusterbench.features.store.layout import read_manifest, write_manifest

RECIPE = """
library = "python"
model = "extraction_toys:Flat"
dim = 12
[preprocessing]
size = 8
interpolation = "{name}"
"""
ENCODER = ("--encoder", "flat", "--workers", "0", "--device", "cpu", "--shard-rows", "8")


@pytest.fixture
def recipe(tiny_world, monkeypatch, tmp_path):
    """Write the recipe `flat` of a user."""
    home = tmp_path / "home"
    (home / "features").mkdir(parents=True)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(home))

    def write(name="bicubic"):
        (home / "features" / "flat.toml").write_text(RECIPE.format(name=name))

    write()
    return write


@pytest.fixture
def st(cli, recipe, tmp_path):
    """40 images in 5 shards, image 3 broken, extracted by the command line."""
    (make_images(tmp_path / "birds") / "c3" / "003.png").write_bytes(b"broken")
    code, _, err = cli(
        "extract", "--source", "birds", "--output", "st", "--max-broken", "0.03", *ENCODER
    )
    assert (code, err) == (0, "")
    return tmp_path / "st"


@pytest.fixture
def cache(cli):
    return lambda *words: cli("cache", *map(str, words))


def repair(cache, *words):
    return cache("repair", *words, "--workers", "0", "--device", "cpu")


def one_line(err):
    return err.startswith("error: ") and err.count("\n") == 1


def test_list_shows_each_store_and_its_state(cache, st, tmp_path):
    for name in ("unfinished", "damaged"):
        shutil.copytree(st, tmp_path / "more" / name)
    (tmp_path / "more" / "unfinished" / "store.json").unlink()
    (tmp_path / "more" / "unfinished" / "shard-00001.h5").unlink()
    plan = {"fields": {"encoder": "flat"}, "shards": 5}
    (tmp_path / "more" / "unfinished" / "extraction.json").write_text(json.dumps(plan))
    (tmp_path / "more" / "damaged" / "shard-00001.h5").unlink()
    assert cache("pack", st)[0] == 0
    code, out, err = cache("list", ".")
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines[0][0] == "more/damaged" and lines[0][-1] == "damaged"
    assert lines[1][:2] == ["more/unfinished", "flat"]
    assert lines[1][-5:] == ["unfinished:", "4", "of", "5", "shards"]
    assert lines[2][:6] == ["st", "flat", "39", "x", "12", "float16"]
    assert lines[2][-1] == lines[3][-1] == "whole" and lines[3][0] == "st.h5"
    assert "shard-00001.h5: shard is missing" in out and lines[-1][:2] == ["4", "stores,"]
    code, out, _ = cache("list", ".", "--json")
    found = {entry["path"]: entry for entry in json.loads(out)}
    assert list(found) == ["more/damaged", "more/unfinished", "st", "st.h5"]
    assert found["st"]["identity"] == found["st.h5"]["identity"] == FeatureStore.open(st).identity
    assert found["st"]["nbytes"] == sum(len(content) for content in files(st).values())


def test_list_of_nothing_says_so_and_is_no_error(cache, tmp_path):
    (tmp_path / "empty").mkdir()
    code, out, err = cache("list", "empty")
    assert (code, out) == (0, "") and "no feature stores there" in err
    assert cache("list", "empty", "--json")[:2] == (0, "[]\n")


def test_verify_says_by_its_exit_code_whether_all_is_sound(cache, st, tmp_path):
    code, out, err = cache("verify", "st")
    assert (code, out, err) == (0, "st: every byte is as it was written\n", "")
    flip(st / "shard-00002.h5", 100)
    code, out, err = cache("verify", "st")
    assert (code, err) == (1, "")
    assert out.startswith("st: 1 damaged\n  shard-00002.h5: contents (rows 16 to 23) hash to ")
    code, out, _ = cache("verify", "st", "--json")
    assert code == 1 and len(json.loads(out)["st"]) == 1
    code, out, err = cache("verify", "st", "absent")
    assert code == 2 and one_line(err) and "no feature store at absent" in err
    assert out.startswith("st: 1 damaged")


def test_repair_of_a_sound_store_does_nothing(cache, st):
    before = stamps(st)
    code, out, _ = repair(cache, "st")
    assert code == 0 and "nothing to repair" in out
    assert stamps(st) == before


@pytest.mark.parametrize("damage", ["change", "cut", "delete"])
def test_repair_makes_the_damaged_shard_again_and_only_this(cache, st, damage):
    before, others = files(st), stamps(st)
    path = st / "shard-00000.h5"
    if damage == "change":
        flip(path, path.stat().st_size - 1)
    elif damage == "cut":
        os.truncate(path, 900)
    else:
        path.unlink()
    code, out, err = repair(cache, "st")
    assert (code, err) == (0, "")
    assert "shard-00000.h5: made again, the same bytes as before" in out
    assert files(st) == before
    after = stamps(st)
    assert [name for name in after if name.startswith("shard") and after[name] != others[name]] == [
        "shard-00000.h5"
    ]


@pytest.mark.parametrize("name", ["index.h5", "broken.jsonl", "features.h5", "store.json"])
@pytest.mark.parametrize("damage", ["change", "delete"])
def test_repair_writes_other_files_again_and_touches_no_shard(cache, st, name, damage):
    before, others = files(st), stamps(st)
    if damage == "delete":
        (st / name).unlink()
    else:
        flip(st / name, len(before[name]) // 2)
    assert cache("verify", "st")[0] == 1
    code, out, err = repair(cache, "st")
    assert (code, err) == (0, "")
    assert f"{name}: written again" in out
    assert files(st) == before
    after = stamps(st)
    assert [n for n in after if n.startswith("shard") and after[n] != others[n]] == []


def test_repair_of_a_manifest_and_a_shard_at_once(cache, st):
    before = files(st)
    (st / "store.json").write_text("{")
    flip(st / "shard-00003.h5", len(before["shard-00003.h5"]) - 1)
    code, out, _ = repair(cache, "st")
    assert code == 0 and "shard-00003.h5: made again" in out
    assert files(st) == before


def test_the_virtual_file_needs_no_images_and_may_have_other_bytes(cache, st, tmp_path):
    """As another version of HDF5 writes it: the manifest then records the new ones."""
    shutil.rmtree(tmp_path / "birds")
    manifest = read_manifest(st)
    write_manifest(st, manifest | {"files": {**manifest["files"], "features.h5": "0" * 64}})
    assert cache("verify", "st")[0] == 1
    assert repair(cache, "st")[0] == 0
    assert cache("verify", "st")[0] == 0


def test_repair_with_the_images_in_another_place(cache, st, tmp_path, monkeypatch):
    before = files(st)
    (st / "shard-00001.h5").unlink()
    (tmp_path / "birds").rename(tmp_path / "moved")
    damaged = stamps(st)
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "birds does not exist" in err
    assert stamps(st) == damaged
    assert repair(cache, "st", "--source", "moved")[0] == 0
    assert {**files(st), "origin.json": b""} == {**before, "origin.json": b""}
    (st / "shard-00001.h5").unlink()  # remembered, also from another folder
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert repair(cache, st)[0] == 0


def test_without_its_images_a_store_is_left_as_it_was(cache, st, tmp_path):
    flip(st / "shard-00001.h5", 3000)
    before = stamps(st)
    next((tmp_path / "birds" / "c0").iterdir()).unlink()
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "index: found" in err
    assert stamps(st) == before


@pytest.mark.parametrize("how", ["unreadable", "other pixels"])
def test_images_that_changed_leave_the_store_as_it_was(cache, st, tmp_path, how):
    """The image is in the damaged shard, so that nothing but the store's identity tells."""
    flip(st / "shard-00000.h5", 3000)
    before = files(st)
    image = sorted((tmp_path / "birds" / "c0").iterdir())[1]
    content = image.read_bytes()
    if how == "unreadable":
        image.write_bytes(b"broken")
    else:
        shutil.copy(sorted((tmp_path / "birds" / "c1").iterdir())[1], image)
    code, _, err = repair(cache, "st")
    assert code == 1 and one_line(err)
    assert ("images are not those it was made from" in err) == (how == "other pixels")
    assert "cannot be read" in err or "images: found" in err
    after = files(st)
    assert {n: b for n, b in after.items() if not n.startswith((".", "shard-00000", "origin"))} == {
        n: b for n, b in before.items() if not n.startswith(("shard-00000", "origin"))
    }
    assert "shard-00000.h5" in after
    image.write_bytes(content)
    assert cache("verify", "st")[0] == 1
    assert repair(cache, "st")[0] == 0


def test_another_preprocessing_is_refused_before_anything_is_touched(cache, st, recipe):
    flip(st / "shard-00001.h5", 3000)
    before = stamps(st)
    recipe("bilinear")
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err)
    assert "details.preprocessing.interpolation: found bicubic, wanted bilinear" in err
    assert stamps(st) == before


def test_an_interrupted_repair_leaves_the_store_as_it_was(cache, st, monkeypatch):
    """Ctrl-C in the middle: raised where the first image would be decoded."""
    flip(st / "shard-00001.h5", 3000)
    before = files(st)

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("clusterbench.features.extract.pipeline.decoded_batches", interrupt)
    assert repair(cache, "st")[0] == 130
    assert {n: b for n, b in files(st).items() if n != ".claims"} == before


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "clusterbench-origin/1", "source": 1}'])
def test_an_origin_that_is_damaged_or_gone_is_told(cache, st, text):
    (st / "shard-00001.h5").unlink()
    (st / "origin.json").write_text(text)
    before = stamps(st)
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "origin.json: damaged" in err
    (st / "origin.json").unlink()
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "does not say where its images are" in err
    before.pop("origin.json")
    assert stamps(st) == before


def test_of_given_features_only_the_virtual_file_can_be_written_again(cache, tmp_path):
    store = write_store(tmp_path / "given")
    sound = files(store.path)
    (store.path / "features.h5").unlink()
    assert repair(cache, "given")[0] == 0 and files(store.path) == sound
    flip(store.path / "shard-00001.h5", 3000)
    before = stamps(store.path)
    code, _, err = repair(cache, "given")
    assert code == 2 and one_line(err)
    assert "given was made from features that were given, not from images" in err
    assert stamps(store.path) == before


def test_unfinished_packed_and_other_folders_are_told_apart(cache, st, tmp_path):
    assert cache("pack", "st")[0] == 0
    flip(tmp_path / "st.h5", 700)
    code, _, err = repair(cache, "st.h5")
    assert code == 2 and one_line(err)
    flip(tmp_path / "st.h5", 700)
    (st / "store.json").rename(st / "extraction.json")
    for verb in ("verify", "repair"):
        code, _, err = cache(verb, "st")
        assert code == 2 and one_line(err) and "run the same `clusterbench extract` command" in err
        code, _, err = cache(verb, "birds")
        assert code == 2 and one_line(err) and "birds is not a feature store" in err


def test_pack_and_unpack_give_the_same_files(cache, st, tmp_path):
    code, out, _ = cache("pack", "st")
    assert (code, out) == (0, "st.h5: 39 x 12 float16 features of flat\n")
    assert cache("verify", "st.h5")[0] == 0
    code, _, err = cache("pack", "st")
    assert code == 2 and one_line(err) and "st.h5 is there" in err
    assert cache("unpack", "st.h5", "--output", "again")[0] == 0
    given = files(st)
    given.pop("origin.json")  # where images are on this machine is not handed on
    assert files(tmp_path / "again") == given
    code, _, err = cache("unpack", "st.h5")
    assert code == 2 and one_line(err) and "st is there" in err
    code, _, err = cache("pack", "st.h5", "--output", "two.h5")
    assert code == 2 and one_line(err) and "packed already" in err
    code, _, err = cache("unpack", "st")
    assert code == 2 and one_line(err) and "st is a folder, not a packed store" in err


@pytest.mark.parametrize("way", [".", "../st", "../st/", "../link"])
def test_a_store_is_packed_beside_itself_however_it_is_named(cache, tmp_path, monkeypatch, way):
    store = write_store(tmp_path / "st")
    (tmp_path / "link").symlink_to("st")
    monkeypatch.chdir(store.path)
    assert cache("pack", way)[0] == 0
    assert (tmp_path / ("link.h5" if "link" in way else "st.h5")).is_file()


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


@pytest.mark.parametrize(
    "words",
    [
        ["list", "absent"],
        ["list", "--jsn"],
        ["verify"],
        ["repair"],
        ["repair", "absent"],
        ["pack", "absent"],
        ["unpack", "absent"],
        ["remove", "absent"],
        ["remove"],
        ["clean"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(cache, words):
    code, out, err = cache(*words)
    assert (code, out) == (2, "") and one_line(err), err


def test_a_name_that_is_not_utf8_is_no_obstacle(cli, cache, recipe, tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    make_images(tmp_path / odd)
    code, _, err = cli("extract", "--source", odd, "--output", f"st-{odd}", *ENCODER)
    assert (code, err) == (0, "")
    before = files(tmp_path / f"st-{odd}")
    (tmp_path / f"st-{odd}" / "shard-00001.h5").unlink()
    assert repair(cache, f"st-{odd}")[0] == 0
    assert files(tmp_path / f"st-{odd}") == before
    assert cache("list", ".", "--json")[0] == 0


@pytest.mark.slow
def test_the_command_itself_repairs(st, tiny_world):
    before = files(st)
    flip(st / "shard-00004.h5", 2500)
    home = os.environ["CLUSTERBENCH_HOME"]
    where = os.pathsep.join([str(Path(__file__).parents[1] / "toys"), *sys.path])
    run = lambda *words: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "clusterbench", "cache", *words],
        capture_output=True, text=True, timeout=120,
        env={**tiny_world.environment(), "PYTHONPATH": where, "CLUSTERBENCH_HOME": home},
    )  # fmt: skip
    assert run("verify", "st").returncode == 1
    done = run("repair", "st", "--workers", "0", "--device", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    assert files(st) == before
    np.testing.assert_array_equal(FeatureStore.open(st).read().shape, (39, 12))
