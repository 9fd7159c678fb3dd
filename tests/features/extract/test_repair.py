import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from extraction_toys import flat_encoder, make_images
from store_toys import files, flip

from clusterbench import FeatureStore, InputError
from clusterbench.errors import ClusterbenchError
from clusterbench.features.extract.extraction import extract
from clusterbench.features.extract.origin import Origin
from clusterbench.features.extract.repair import repair
from clusterbench.features.store.diagnosis import diagnose
from clusterbench.sources.opening import open_source

SETTINGS = {"device": "cpu", "workers": 0, "shard_rows": 8, "repairing": True}


@pytest.fixture
def birds(tmp_path):
    return make_images(tmp_path / "birds")


@pytest.fixture
def again(birds, tmp_path):
    """The extraction of 40 images into 5 shards, done."""

    def run():
        extract(open_source(str(birds)), flat_encoder(), tmp_path / "st", **SETTINGS)

    run()
    return run


@pytest.fixture
def st(again, tmp_path):
    return tmp_path / "st"


def test_several_damaged_shards_are_named_and_made_again(st, again):
    before = files(st)
    flip(st / "shard-00001.h5", 50)
    (st / "shard-00003.h5").unlink()
    diagnosis = diagnose(st)
    assert diagnosis.shards == ("shard-00001.h5", "shard-00003.h5")
    assert repair(diagnosis, again) == ("shard-00001.h5", "shard-00003.h5")
    assert {n: b for n, b in files(st).items() if n[0] != "."} == before
    assert not list(st.glob(".damaged-*"))


def test_a_sound_store_is_not_extracted_again(st):
    assert repair(diagnose(st), lambda: pytest.fail("was extracted")) == ()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ClusterbenchError])
def test_whatever_stops_the_extraction_the_store_is_as_it_was(st, error):
    flip(st / "shard-00001.h5", 3000)
    (st / "shard-00003.h5").unlink()
    before = files(st)

    def stop():
        assert (st / ".damaged-shard-00001.h5").is_file() and not (st / "store.json").exists()
        raise error("stop")

    with pytest.raises(error):
        repair(diagnose(st), stop)
    assert files(st) == before


def test_shards_that_were_made_before_it_stopped_are_kept(st, again):
    sound = files(st)
    flip(st / "shard-00001.h5", 3000)
    flip(st / "shard-00003.h5", 3000)
    damaged = files(st)

    def one():
        (st / "shard-00001.h5").write_bytes(sound["shard-00001.h5"])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        repair(diagnose(st), one)
    assert files(st) == {**damaged, "shard-00001.h5": sound["shard-00001.h5"]}
    assert diagnose(st).shards == ("shard-00003.h5",)


KILLED = """
import os, sys
from pathlib import Path
from clusterbench.features.extract.repair import repair
from clusterbench.features.store.diagnosis import diagnose
repair(diagnose(Path(sys.argv[1])), lambda: os.kill(os.getpid(), 9))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_after_a_kill_the_damaged_shard_is_there_aside_and_extracting_mends_all(st, again):
    before = files(st)
    flip(st / "shard-00001.h5", 3000)
    content = (st / "shard-00001.h5").read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED, st], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (st / ".damaged-shard-00001.h5").read_bytes() == content
    with pytest.raises(InputError, match="not a feature store"):
        FeatureStore.open(st)
    again()
    assert files(st) == before


def test_images_of_other_pixels_are_refused_and_the_old_identity_stays(st, again, birds):
    flip(st / "shard-00000.h5", 3000)
    image = sorted((birds / "c0").iterdir())[0]
    image.write_bytes(sorted((birds / "c1").iterdir())[0].read_bytes())
    manifest = (st / "store.json").read_bytes()
    with pytest.raises(ClusterbenchError, match=r"not those it was made from .images: f"):
        repair(diagnose(st), again)
    assert (st / "store.json").read_bytes() == manifest
    assert diagnose(st).shards == ("shard-00000.h5",)


def test_a_packed_store_is_not_repaired_in_place(st, tmp_path):
    packed = FeatureStore.open(st).pack(tmp_path / "one.h5")
    flip(packed.path, packed.path.stat().st_size - 1)
    with pytest.raises(InputError, match=r"one\.h5 is packed: it cannot be repaired in place"):
        repair(diagnose(packed.path), lambda: None)


def origin(**changes):
    source = {"location": "birds", "root": None, "class_names": Path("names.txt")}
    return Origin.of(source | changes, "flat", Path("w.pt"), {"dtype": "float16"}, 4)


def test_an_origin_holds_absolute_paths(birds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = origin()
    assert found.source["location"] == str(birds)
    assert found.source_options()["class_names"] == tmp_path / "names.txt"
    assert found.weights == str(tmp_path / "w.pt")
    assert origin(location="hf:owner/name").source["location"] == "hf:owner/name"


def test_a_moved_origin_holds_absolute_paths_too(birds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moved").mkdir()
    found = origin().moved("moved", Path("other.pt"))
    assert found.source["location"] == str(tmp_path / "moved")
    assert found.weights == str(tmp_path / "other.pt")
    assert origin().moved(None, None) == origin()
    assert origin().moved("hf:owner/name", None).source["location"] == "hf:owner/name"
