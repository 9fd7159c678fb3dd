"""Given stores: what `clusterbench cache list`, `verify`, `pack` and `unpack` answer."""

import json
import os
import shutil

import pytest
from cache_toys import ENCODER, one_line, repair
from extraction_toys import make_images
from store_toys import files, flip, write_store

from clusterbench import FeatureStore


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
