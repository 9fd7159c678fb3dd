import json
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_toys import contents, hf_schema, hf_table, ids, toy_images, write_arrow, write_parquet

from clusterbench import InputError
from clusterbench.sources.opening import detect, open_source
from clusterbench.sources.parquet import _groups, index_parquet
from clusterbench.sources.saved import load_source, save_source
from clusterbench.sources.source import BrokenImage
from clusterbench.sources.staging import stage


def write(path, columns, schema=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=schema), path, **options)
    return path


def test_binary_images_with_text_labels_and_keys(tmp_path):
    table = {"__key__": ["a", "cat/b", "c.png"], "jpg": [b"1", b"2", b"3"], "synset": ["cat"] * 3}
    path = write(tmp_path / "t.parquet", table)
    assert contents(open_source(path)) == {"cat/a": b"1", "cat/b": b"2", "cat/c": b"3"}


def test_without_names_an_id_is_the_number_of_the_row_over_all_files(tmp_path):
    for number in range(2):
        images = [b"%d" % (6 * number + i) for i in range(6)]
        write(tmp_path / f"t{number}.parquet", {"img": images, "class": ["b", "a"] * 3})
    source = open_source(tmp_path)
    assert ids(source)[:6] == ["a/01", "a/03", "a/05", "a/07", "a/09", "a/11"]
    assert all(int(i.split("/")[1]) == int(c) for i, c in contents(source).items())


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        ([2, 10], None, ["02/x", "10/y"]),
        ([0, 1], ["dog", "cat"], ["cat/y", "dog/x"]),
        (["2", "10"], None, ["10/y", "2/x"]),  # text is a name as it is
        (["1", "0"], ["dog", "cat"], ["cat/x", "dog/y"]),
    ],
)
def test_numbers_get_names_from_a_list_or_padding(tmp_path, labels, names, expected):
    path = write(tmp_path / "t.parquet", {"img": [b"1", b"2"], "label": labels, "id": ["x", "y"]})
    assert ids(index_parquet(path, class_names=names)) == expected


def test_a_name_goes_before_a_number_that_nothing_explains(tmp_path):
    table = {"img": [b"1"], "label": [7], "synset": ["n01"], "id": ["x"]}
    assert ids(index_parquet(write(tmp_path / "t.parquet", table))) == ["n01/x"]


@pytest.mark.parametrize("layout", ["{}-00000.parquet", "data/{}-00000.parquet", "{}/0.parquet"])
def test_splits_are_those_of_file_or_folder_names(tmp_path, layout):
    for split in ("train", "validation", "test"):
        table = {"img": [b"1"], "label": ["cat"], "id": [split]}
        write(tmp_path / layout.format(split), table)
    source = open_source(tmp_path)
    assert ids(source) == ["cat/train", "cat/validation"]
    assert source.index.split.tolist() == [0, 1] and source.report.ignored == 1


def test_null_and_empty_images_are_broken_when_read(tmp_path):
    image = [
        {"bytes": b"1", "path": "a"},
        {"bytes": b"", "path": "b"},
        {"bytes": None, "path": "c"},
    ]
    schema = hf_schema()
    for name, stored in (("struct", [*image, None]), ("missing", [*image, None])):
        table = pa.table({"image": stored, "label": [0] * 4}, schema=schema).append_column(
            "id", pa.array(list("abcd"))
        )
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path)
        for source in (index_parquet(path), stage(index_parquet(path), tmp_path / f"{name}-st")):
            assert source.read(0) == b"1"
            for row in (1, 2, 3):
                with pytest.raises(BrokenImage, match="the table holds no bytes for it"):
                    source.read(row)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"label": ["a"]}, r"0 columns could be the image \(none\).*It has: label"),
        ({"x": [b"1"], "y": [b"2"], "label": ["a"]}, r"2 columns could be the image \(x, y\)"),
        ({"img": [b"1"]}, r"no label; wanted .*It has: img"),
        ({"img": [b"1"], "label": [0.5]}, "no label; wanted"),
        ({"img": [b"1", b"2"], "label": ["a", None]}, "row group 0: no label in row 1"),
        ({"img": [b"1", b"2"], "label": [0, -1]}, "label -1 is not a class"),
        ({"img": [b"1", b"2"], "label": ["a"] * 2, "id": ["x", None]}, "no name in row 1"),
        ({"img": [b"1", b"2"], "label": ["a"] * 2, "id": ["x", "x"]}, r"one id 'a/x': t\.parquet"),
        ({"img": [b"1"], "label": ["a"], "id": ["x\n"]}, "line break"),
        ({"img": [b"1"], "label": ["a"], "id": ["x\0"]}, "NUL byte"),
    ],
)
def test_tables_that_are_not_a_data_set_are_refused(tmp_path, table, message):
    with pytest.raises(InputError, match=message):
        index_parquet(write(tmp_path / "t.parquet", table))


def test_files_that_are_no_table_or_differ_are_refused(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"x" * 50)
    with pytest.raises(InputError, match=r"bad\.parquet: not a whole parquet file"):
        index_parquet(tmp_path)
    (tmp_path / "bad.arrow").write_bytes(b"ARROW1" + b"x" * 50)
    with pytest.raises(InputError, match=r"bad\.arrow: not a whole arrow file"):
        index_parquet(tmp_path / "bad.arrow")
    with pytest.raises(InputError, match=r"no \*\.parquet"):
        (tmp_path / "empty").mkdir()
        index_parquet(tmp_path / "empty")
    one = {"img": [b"1"], "label": ["a"]}
    write(tmp_path / "mixed" / "0.parquet", one)
    write(tmp_path / "mixed" / "1.parquet", {"img": [b"1"], "class": ["a"]})
    with pytest.raises(InputError, match=r"1\.parquet: its columns are .*class.*0\.parquet are"):
        index_parquet(tmp_path / "mixed")
    write(tmp_path / "many" / "full" / "train-0.parquet", one)
    write(tmp_path / "many" / "mini" / "train-0.parquet", one)
    with pytest.raises(InputError, match="several data sets; give one of the folders"):
        index_parquet(tmp_path / "many")


def test_a_truncated_arrow_stream_is_refused(tmp_path):
    root = write_arrow(tmp_path / "a", toy_images(), stream=True)
    path = next(root.glob("*.arrow"))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="not a whole arrow file"):
        index_parquet(root)


def test_a_table_that_changed_is_refused_by_readers_and_by_a_saved_index(tmp_path):
    path = write(tmp_path / "t.parquet", {"img": [b"1"], "label": ["a"]})
    source = index_parquet(path)
    save_source(source, tmp_path / "i.h5")
    write(path, {"img": [b"1", b"2" * 99], "label": ["a", "a"]})
    with pytest.raises(InputError, match="index it again"):
        source.read(0)
    with pytest.raises(InputError, match=r"1 of 1 files changed .*t\.parquet: \d+ bytes, was"):
        load_source(tmp_path / "i.h5")
    path.unlink()
    with pytest.raises(BrokenImage, match=r"t\.parquet: No such file"):
        source.read(0)


def test_row_groups_in_memory_are_bounded(tmp_path, monkeypatch):
    source = index_parquet(write_parquet(tmp_path / "p", toy_images()))
    monkeypatch.setattr(_groups, "limit", 3000)
    for row in range(60):
        source.read(row)
        assert _groups._weight <= 3000 or len(_groups._values) == 1


def test_amplification_counts_how_often_groups_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("clusterbench.sources.parquet._BLOCK_ROWS", 10)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 10)
    table = {"img": [b"1"] * 100, "label": [f"c{i}" for i in labels]}
    in_order = index_parquet(write(tmp_path / "o.parquet", table, row_group_size=10))
    assert in_order.read_amplification() == 1 and not in_order.needs_staging()
    table["label"] = [f"c{i}" for i in rng.permutation(labels)]
    mixed = index_parquet(write(tmp_path / "m.parquet", table, row_group_size=10))
    assert mixed.read_amplification() == 1 and not mixed.needs_staging()  # all fit the cache
    monkeypatch.setattr("clusterbench.sources.parquet._CACHE_BYTES", 1)  # one group fits
    assert in_order.read_amplification() == 1
    blocks = [sorted(set(mixed.group[start : start + 10].tolist())) for start in range(0, 100, 10)]
    order = [group for block in blocks for group in block]
    loads = 1 + sum(a != b for a, b in pairwise(order))
    assert mixed.read_amplification() == loads / 10
    assert mixed.needs_staging()


def test_staged_images_are_the_same_and_staging_goes_on_where_it_was(tmp_path):
    source = index_parquet(write_parquet(tmp_path / "p", toy_images()))
    staged = stage(source, tmp_path / "flat")
    assert staged.index.hash == source.index.hash
    assert contents(staged) == contents(source)
    first, second = sorted((tmp_path / "flat").glob("*.bin"))
    made = first.stat().st_mtime_ns
    second.write_bytes(second.read_bytes()[:-1])  # as if half-written
    again = stage(source, tmp_path / "flat")
    assert first.stat().st_mtime_ns == made and contents(again) == contents(source)
    path = next((tmp_path / "p" / "data").glob("*00000-of*"))
    os.utime(path, ns=(0, 1_000_000_000))
    again = stage(index_parquet(tmp_path / "p"), tmp_path / "flat")
    assert first.stat().st_mtime_ns != made
    save_source(again, tmp_path / "staged.h5")
    assert contents(load_source(tmp_path / "staged.h5")) == contents(source)


HUB = """
import sys
from clusterbench.sources.opening import open_source
source = open_source(sys.argv[1])
print(source.index.hash, source.location()["source"], len(source.read(0)))
"""


def open_hub(tmp_path, name):
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    return subprocess.run(
        [sys.executable, "-c", HUB, name], env=environment, capture_output=True, text=True
    )


def test_a_hub_data_set_in_the_cache_is_read_without_a_network(tmp_path):
    commit = "0123456789" * 4
    repository = tmp_path / "hub" / "hub" / "datasets--owner--birds"
    write_parquet(repository / "snapshots" / commit, toy_images())
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    expected = index_parquet(repository / "snapshots" / commit).index.hash
    for name in ("hf:owner/birds", f"hf:owner/birds@{commit}"):
        found = open_hub(tmp_path, name)
        assert found.returncode == 0, found.stderr
        assert found.stdout.split()[:2] == [expected, f"hf:owner/birds@{commit}"]


def test_a_hub_data_set_that_is_nowhere_is_one_line(tmp_path):
    found = open_hub(tmp_path, "hf:owner/gone")
    last = found.stderr.strip().splitlines()[-1]
    assert "InputError: source hf:owner/gone: cannot be fetched and is not in the hub's" in last
    with pytest.raises(InputError, match="wanted hf:OWNER/NAME"):
        open_source("hf:birds")


def test_class_labels_may_be_a_table_of_numbers(tmp_path):
    schema = hf_schema()
    names = {str(i): name for i, name in enumerate(("ant", "bee", "cat-fish", "dog"))}
    facts = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    metadata = {b"huggingface": json.dumps(facts).encode()}
    table = hf_table(toy_images()).cast(schema).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "t.parquet")
    assert open_source(tmp_path).index.class_names == tuple(names.values())


def test_tables_beside_class_folders_are_not_guessed(tmp_path):
    write(tmp_path / "t.parquet", {"img": [b"1"], "label": ["a"]})
    (tmp_path / "cat").mkdir()
    with pytest.raises(InputError, match=r"class folders \(cat/\) and tables \(t\.parquet\)"):
        detect(tmp_path)
