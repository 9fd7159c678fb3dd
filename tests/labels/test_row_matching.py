"""Rows of two files are matched by what names their samples, never silently by position."""

import numpy as np
import pyarrow as pa
import pytest
from label_toys import write_json, write_parquet, write_text

from clusterbench import InputError
from clusterbench.labels.alignment import align
from clusterbench.labels.matching import read_pair
from clusterbench.labels.reading import PREDICTION_NAMES, TARGET_NAMES, read_labels

N = 12
IDS = [f"class{i % 3}/é{i}.jpg" for i in range(N)]
TRUE = [i % 4 for i in range(N)]
ORDER = np.random.default_rng(3).permutation(N)


def table(path, /, **columns):
    """A file of columns in any format that has some."""
    columns = {name: list(values) for name, values in columns.items()}
    if path.suffix == ".parquet":
        return write_parquet(path, **columns)
    if path.suffix == ".npz":
        np.savez(path, **{name: np.array(values) for name, values in columns.items()})
        return path
    if path.suffix == ".json":
        return write_json(path, columns)
    sign = "\t" if path.suffix == ".tsv" else ","
    rows = [columns, *zip(*columns.values(), strict=True)]
    return write_text(path, "".join(sign.join(map(str, row)) + "\n" for row in rows))


def moved(values):
    return [values[at] for at in ORDER]


def pair(targets, *predictions):
    true, found = read_pair(targets, list(predictions))
    return true.values.tolist(), [file.values.tolist() for file in found], found


def refused(targets, *predictions):
    with pytest.raises(InputError) as caught:
        read_pair(targets, list(predictions))
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".npz", ".json"])
@pytest.mark.parametrize(
    ("name", "other"),
    [
        *((name, name) for name in ("id", "ids", "filename", "path", "image_id", "photo", "文件")),
        *(("Filename", "filename"), ("Image ID", "image_id"), ("imageId", "image-id")),
        *(("filename", "id"), ("id", "fname"), ("photo", "picture"), ("path", "url")),
    ],
)
def test_any_column_of_the_same_values_matches(tmp_path, suffix, name, other):
    targets = table(tmp_path / "t.csv", **{name: IDS, "label": TRUE})
    predictions = table(tmp_path / f"p{suffix}", **{other: moved(IDS), "cluster": moved(TRUE)})
    true, (found,), (file,) = pair(targets, predictions)
    assert true == found == TRUE
    assert name in file.matched


def test_numbers_match_as_they_are_written(tmp_path):
    numbers = [7, 10, 9, *range(20, 20 + N - 3)]
    targets = table(tmp_path / "t.parquet", image_id=numbers, label=TRUE)
    predictions = table(tmp_path / "p.csv", image_id=moved(numbers), cluster=moved(TRUE))
    assert pair(targets, predictions)[1] == [TRUE]
    predictions = table(tmp_path / "p.csv", image_id=[f"0{n}" for n in numbers], cluster=TRUE)
    assert "lacks 12 of the 12 values of 'image_id'" in refused(targets, predictions)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ([*IDS[:-1], "x.jpg"], "lacks 1 of the 12 values of 'filename'"),
        (IDS[:-1], "lacks 1 of the 12 values of 'filename'"),
        ([*IDS[:-1], IDS[0]], "occurs again in row 11"),
        (["/data/" + name for name in IDS], "lacks 12 of the 12 values of 'filename'"),
    ],
)
def test_a_shared_key_that_differs_is_never_ignored(tmp_path, theirs, message):
    targets = table(tmp_path / "t.csv", filename=IDS, label=TRUE)
    predictions = table(tmp_path / "p.csv", filename=theirs, cluster=TRUE[: len(theirs)])
    assert message in refused(targets, predictions)
    # A counter of the rows that both have is no way around it.
    n = len(theirs)
    targets = table(tmp_path / "t.csv", id=range(N), filename=IDS, label=TRUE)
    predictions = table(tmp_path / "p.csv", id=range(n), filename=theirs, cluster=TRUE[:n])
    assert message.partition(" of ")[0] in refused(targets, predictions)


def test_a_column_of_any_name_that_differs_is_refused(tmp_path):
    targets = table(tmp_path / "t.csv", photo=IDS, label=TRUE)
    predictions = table(tmp_path / "p.csv", photo=[*IDS[:-1], "x"], cluster=TRUE)
    assert "or rename or leave out the column" in refused(targets, predictions)


def test_suffixes_of_images_may_be_missing_where_that_is_unambiguous(tmp_path):
    targets = table(tmp_path / "t.csv", filename=IDS, label=TRUE)
    bare = [name.removesuffix(".jpg") for name in IDS]
    for theirs in (bare, [name + ".PNG" for name in bare]):
        predictions = table(tmp_path / "p.csv", filename=moved(theirs), cluster=moved(TRUE))
        assert pair(targets, predictions)[1] == [TRUE]
    twins = ["a.jpg", "a.png", *IDS[2:]]
    targets = table(tmp_path / "t.csv", filename=twins, label=TRUE)
    predictions = table(tmp_path / "p.csv", filename=["a", "a.webp", *IDS[2:]], cluster=TRUE)
    assert "lacks 2 of the 12" in refused(targets, predictions)


def test_a_counter_gives_way_to_names(tmp_path):
    targets = table(tmp_path / "t.csv", id=range(N), filename=IDS, label=TRUE)
    predictions = table(tmp_path / "p.csv", id=range(N), filename=moved(IDS), cluster=moved(TRUE))
    assert pair(targets, predictions)[1] == [TRUE]


def test_keys_that_contradict_each_other_are_refused(tmp_path):
    numbers = [n * 3 for n in range(N)]
    targets = table(tmp_path / "t.csv", id=numbers, filename=IDS, label=TRUE)
    predictions = table(tmp_path / "p.csv", id=numbers, filename=moved(IDS), cluster=TRUE)
    assert "columns 'id' and 'filename' match different rows" in refused(targets, predictions)


def test_values_that_repeat_are_no_key_but_show_that_rows_moved(tmp_path):
    split = ["train", "val"] * (N // 2)
    targets = table(tmp_path / "t.csv", split=split, label=TRUE)
    predictions = table(tmp_path / "p.csv", split=split, cluster=TRUE)
    assert pair(targets, predictions)[2][0].matched is None
    predictions = table(tmp_path / "p.csv", split=sorted(split), cluster=TRUE)
    assert "'split' holds the values of" in refused(targets, predictions)
    predictions = table(tmp_path / "p.csv", split=["test"] * N, cluster=TRUE)
    assert pair(targets, predictions)[2][0].matched is None


def test_other_columns_do_not_matter(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(2):
        extra = {"confidence": rng.random(N).tolist(), "correct": rng.integers(2, size=N).tolist()}
        targets = table(tmp_path / "t.csv", label=TRUE, **extra)
        extra = {"confidence": rng.random(N).tolist(), "correct": rng.integers(2, size=N).tolist()}
        predictions = table(tmp_path / "p.csv", cluster=TRUE, **extra)
        assert pair(targets, predictions)[2][0].matched is None


def test_names_without_common_values_leave_rows_where_they_are(tmp_path):
    targets = table(tmp_path / "t.csv", filename=IDS, label=TRUE)
    predictions = table(tmp_path / "p.csv", id=range(100, 100 + N), cluster=TRUE)
    assert pair(targets, predictions)[2][0].matched is None
    some = [*IDS[:3], *(f"x{i}" for i in range(N - 3))]
    predictions = table(tmp_path / "p.csv", id=some, cluster=TRUE)
    assert "lacks 9 of the 12" in refused(targets, predictions)
    shuffled = [int(i) for i in ORDER]
    targets = table(tmp_path / "t.csv", id=shuffled, label=TRUE)
    predictions = table(tmp_path / "p.csv", index=range(N), cluster=TRUE)
    assert "one of them only counts rows" in refused(targets, predictions)


def test_predictions_in_different_orders_cannot_both_be_in_the_order_of_the_targets(tmp_path):
    np.save(tmp_path / "t.npy", TRUE)
    a = table(tmp_path / "a.csv", filename=IDS, cluster=TRUE)
    b = table(tmp_path / "b.csv", filename=moved(IDS), cluster=moved(TRUE))
    assert pair(tmp_path / "t.npy", a)[1] == [TRUE]
    message = refused(tmp_path / "t.npy", a, b)
    assert "in another order (by 'filename'), and the targets do not say" in message


def test_columns_of_one_file_belong_together(tmp_path):
    both = table(tmp_path / "x.csv", id=["a"] * N, label=TRUE, cluster=TRUE)
    assert pair(both, both)[1] == [TRUE]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_index_of_pandas_counts_rows(tmp_path, suffix):
    name = {".csv": "", ".parquet": "__index_level_0__"}[suffix]
    targets = table(tmp_path / f"t{suffix}", **{name: range(5, 5 + N), "label": TRUE})
    predictions = table(tmp_path / f"p{suffix}", **{name: range(N), "cluster": TRUE})
    assert pair(targets, predictions)[2][0].matched is None
    predictions = table(
        tmp_path / f"p{suffix}", **{name: moved(range(5, 5 + N)), "cluster": moved(TRUE)}
    )
    assert pair(targets, predictions)[1] == [TRUE]


@pytest.mark.parametrize("first", [0, 1])
def test_json_keys_that_are_numbers_are_in_their_order(tmp_path, first):
    keys = sorted(str(i + first) for i in range(N))
    content = {key: TRUE[int(key) - first] for key in keys}
    predictions = write_json(tmp_path / "p.json", content)
    np.save(tmp_path / "t.npy", TRUE)
    assert pair(tmp_path / "t.npy", predictions)[1] == [TRUE]
    targets = write_json(tmp_path / "t.json", TRUE)
    assert pair(targets, predictions)[1] == [TRUE]
    ids = [int(i) + first for i in ORDER]  # where the other file has ids, they are ids
    targets = table(tmp_path / "t.csv", id=ids, label=moved(TRUE))
    assert pair(targets, predictions)[1] == [moved(TRUE)]
    targets = table(tmp_path / "t.csv", id=IDS, label=TRUE)
    assert "lacks 12 of the 12 sample ids" in refused(targets, predictions)


# What pandas writes for columns without a name


@pytest.mark.parametrize("header", ["0\n", ",0\n", "Unnamed: 0,0\n"])
def test_a_header_of_pandas_is_no_sample(tmp_path, header):
    index = [f"{i}," if "," in header else "" for i in range(N)]
    rows = "".join(f"{at}{label}\n" for at, label in zip(index, TRUE, strict=True))
    path = write_text(tmp_path / "pandas.csv", header + rows)
    np.save(tmp_path / "x.npy", TRUE)
    assert pair(path, tmp_path / "x.npy")[:2] == (TRUE, [TRUE])
    assert pair(tmp_path / "x.npy", path, path)[:2] == (TRUE, [TRUE, TRUE])


def test_a_header_above_names_or_floats_is_none_of_them(tmp_path):
    for text in ("0\ncat\ndog\n", "0\n1.0\n2.0\n"):
        assert read_labels(write_text(tmp_path / "x.csv", text), TARGET_NAMES).n == 2
    found = read_labels(write_text(tmp_path / "x.csv", "0\n1\n2\n"), TARGET_NAMES)
    assert (found.n, found.headless) == (3, True)


# One column wide


def test_labels_one_column_wide_are_labels(tmp_path):
    column = [[label] for label in TRUE]
    np.save(tmp_path / "x.npy", column)
    np.savez(tmp_path / "x.npz", predictions=column)
    files = [
        *(tmp_path / "x.npy", tmp_path / "x.npz", write_json(tmp_path / "x.json", column)),
        write_parquet(tmp_path / "x.parquet", target=pa.array(column)),
    ]
    targets = write_json(tmp_path / "t.json", TRUE)
    for path in files:
        assert pair(targets, path)[1] == [TRUE]
        assert pair(path, targets)[0] == TRUE


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_another_delimiter_is_named(tmp_path, sign):
    rows = "".join(f"{name}{sign}{label}\n" for name, label in zip(IDS, TRUE, strict=True))
    path = write_text(tmp_path / "x.csv", f"id{sign}label\n{rows}")
    name = {";": "a semicolon", "\t": "a tab", "|": "a bar"}[sign]
    for column in (None, "label"):
        with pytest.raises(InputError, match=f"has {name} between its fields .*wanted commas"):
            read_labels(path, TARGET_NAMES, column)
    with pytest.raises(InputError, match=r"has a comma between its fields .*wanted tabs"):
        read_labels(write_text(tmp_path / "x.tsv", "id,label\na,1\n"), TARGET_NAMES)


def test_align_serves_other_files_with_keys(tmp_path):
    """As the import of features uses it: a file of its own, with ways to read its columns."""
    from clusterbench.labels.reading import LabelFile

    own = LabelFile(
        tmp_path / "F.parquet", np.zeros(N, np.int8), keys={"filename": lambda: np.array(IDS)}
    )
    labels = table(tmp_path / "L.csv", Filename=moved(IDS), label=moved(TRUE))
    found = align(own, read_labels(labels, TARGET_NAMES))
    assert (found.values.tolist(), found.matched) == (TRUE, "filename")
    assert align(own, read_labels(labels, PREDICTION_NAMES, "label")).values.tolist() == TRUE
