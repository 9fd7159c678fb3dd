import gzip
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from source_toys import add, contents, ids, toy_images, write_class_tars, write_shards, write_tar

from clusterbench import InputError
from clusterbench.sources.opening import detect, open_source
from clusterbench.sources.saved import load_source, save_source
from clusterbench.sources.source import BrokenImage
from clusterbench.sources.tar_members import scan_tar
from clusterbench.sources.tars import index_class_tars
from clusterbench.sources.webdataset import index_webdataset

PNG = b"png" * 300  # two blocks; sources do not decode


def write_one(root, *names, cls="cat"):
    return write_tar(root / f"{cls}.tar", [(name, PNG) for name in names])


def test_members_lose_the_class_and_what_is_no_image_is_counted(tmp_path):
    names = (
        "./cat/a.png",
        "cat/b.JPEG",
        "deep/c.png",
        "n.txt",
        ".h.png",
        "deep/.d/e.png",
        "d.x.png",
    )
    path = write_one(tmp_path, *names)
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("z.png")
        link.type, link.linkname = tarfile.SYMTYPE, "a.png"
        tar.addfile(link)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    write_tar(tmp_path / "none.tar", [("n.txt", b"x")])
    source = index_class_tars(tmp_path)
    assert ids(source) == ["cat/a", "cat/b", "cat/d.x", "cat/deep/c"]
    assert source.report.ignored == 5  # text twice, two hidden, one link; a folder is no member
    assert source.report.empty_classes == ("none",)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_read_in_every_form_of_tar(tmp_path, form):
    name = "ä" * 30 + "/" + "long" * 20 + ".png"
    with tarfile.open(tmp_path / "cat.tar", "w", format=form) as tar:
        add(tar, name, PNG)
        add(tar, "b.png", PNG + b"b")
    source = index_class_tars(tmp_path)
    assert contents(source) == {"cat/b": PNG + b"b", f"cat/{name[:-4]}": PNG}


def test_train_and_val_folders_of_tars_are_a_split(tmp_path):
    write_one(tmp_path / "train", "1.png", "2.png")
    write_one(tmp_path / "val", "3.png")
    write_one(tmp_path / "train", "4.png", cls="owl")
    assert detect(tmp_path) == "class-tars"
    source = open_source(tmp_path)
    assert ids(source) == ["cat/1", "cat/2", "cat/3", "owl/4"]
    assert source.index.split.tolist() == [0, 0, 1, 0]


def test_a_damaged_header_in_the_middle_is_not_the_end(tmp_path):
    path = write_one(tmp_path, *[f"{i}.png" for i in range(9)])
    write_one(tmp_path, "1.png", cls="owl")
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        at = tar.getmember("5.png").offset
    content[at + 20 : at + 200] = b"\xff" * 180
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"1 of 2 tars are damaged: cat\.tar at byte {at}: .* 5 im"
    ):
        index_class_tars(tmp_path)
    source = index_class_tars(tmp_path, allow_damaged=True)
    assert ids(source) == [*(f"cat/{i}" for i in range(5)), "owl/1"]
    assert source.report.damaged == (f"cat.tar: byte {at}: not a tar header",)


def test_a_hole_of_zeros_is_not_the_end(tmp_path):
    path = write_one(tmp_path, *[f"{i}.png" for i in range(9)])
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        at = tar.getmember("5.png").offset
    content[at : at + 1024] = bytes(1024)
    path.write_bytes(content)
    assert f"byte {at}: zeros, but more data from byte {at + 1024}" in scan_tar(path).damage


def test_wherever_a_tar_is_cut_it_is_noticed(tmp_path):
    path = write_one(tmp_path, *[f"{i}.png" for i in range(4)])
    whole = path.read_bytes()
    assert scan_tar(path).damage == ""
    with tarfile.open(path) as tar:
        ends = [member.offset_data + member.size for member in tar]
    for length in range(0, ends[-1] + 500, 100):
        path.write_bytes(whole[:length])
        found = scan_tar(path)
        assert found.damage.startswith("byte ")
        assert len(found.names) == sum(end <= length for end in ends)


def test_a_file_that_is_no_tar_is_damaged_from_its_first_byte(tmp_path):
    (tmp_path / "cat.tar").write_bytes(b"<html>" * 200)
    with pytest.raises(InputError, match=r"cat\.tar at byte 0: not a tar header .* after 0 images"):
        index_class_tars(tmp_path)


@pytest.mark.parametrize("name", ["cat.tar", "cat.tar.gz", "cat.tgz"])
def test_a_compressed_tar_is_refused(tmp_path, name):
    plain = write_one(tmp_path / "plain", "1.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / name).write_bytes(gzip.compress(plain.read_bytes()))
    for index in (index_class_tars, index_webdataset, open_source):
        with pytest.raises(InputError, match="is a compressed archive"):
            index(root)


def test_a_member_whose_name_is_not_utf8_or_holds_a_line_break_is_refused(tmp_path):
    with tarfile.open(tmp_path / "cat.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, os.fsdecode(b"\xff\xfe.png"), PNG)
    with pytest.raises(InputError, match=r"cat\.tar: member name b'\\xff\\xfe\.png' is not UTF-8"):
        index_class_tars(tmp_path)
    write_one(tmp_path, "a\nb.png")
    with pytest.raises(InputError, match="holds a line break"):
        index_class_tars(tmp_path)


def test_two_members_with_one_id_are_refused_and_both_are_named(tmp_path):
    write_one(tmp_path, "1.png", "1.png")
    with pytest.raises(InputError, match=r"one id 'cat/1': cat\.tar \(byte 512\) and cat\.tar"):
        index_class_tars(tmp_path)


def test_folders_without_tars_or_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="no tars in it"):
        index_class_tars(tmp_path)
    write_tar(tmp_path / "cat.tar", [("n.txt", b"x")])
    with pytest.raises(InputError, match=r"no images in 1 tar \(1 other member\)"):
        index_class_tars(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        index_class_tars(tmp_path / "gone")


def test_a_tar_that_was_cut_or_removed_after_indexing_breaks_its_images_only(tmp_path):
    path = write_one(tmp_path, "1.png", "2.png")
    write_one(tmp_path, "1.png", cls="owl")
    source = index_class_tars(tmp_path)
    path.write_bytes(path.read_bytes()[:2100])
    assert source.read(0) == PNG
    with pytest.raises(BrokenImage, match=r"cut off: 52 of 900 bytes are in cat\.tar"):
        source.read(1)
    (tmp_path / "owl.tar").unlink()
    with pytest.raises(BrokenImage, match=r"owl\.tar: No such file"):
        source.read(2)
    sizes, times = source.stamps(0, 3)
    assert sizes.tolist() == [900, 900, -1] and times[2] == 0


def test_a_tar_that_grew_is_not_read_at_old_offsets(tmp_path):
    write_one(tmp_path, "1.png")
    source = index_class_tars(tmp_path)
    write_one(tmp_path, *[f"{i}.png" for i in range(20)])
    with pytest.raises(InputError, match="index it again"):
        source.read(0)


def test_more_tars_than_are_kept_open_are_read(tmp_path):
    for number in range(150):
        write_tar(tmp_path / f"c{number:03d}.tar", [("1.png", b"%d" % number)])
    held = Path("/proc/self/fd")  # where there is one
    before = len(list(held.iterdir())) if held.is_dir() else 0
    source = index_class_tars(tmp_path)
    for row in (*range(150), *range(150)):
        assert source.read(row) == b"%d" % row
    if before:
        assert len(list(held.iterdir())) <= before + 64


def test_a_saved_source_refuses_tars_that_changed(tmp_path):
    path = write_one(tmp_path / "tars", "1.png", "2.png")
    save_source(index_class_tars(tmp_path / "tars"), tmp_path / "i.h5")
    assert contents(load_source(tmp_path / "i.h5")) == {"cat/1": PNG, "cat/2": PNG}
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(InputError, match=r"1 of 1 files changed .*cat\.tar: written since"):
        load_source(tmp_path / "i.h5")
    (tmp_path / "tars").rename(tmp_path / "moved")
    with pytest.raises(InputError, match="which is not there; give the folder"):
        load_source(tmp_path / "i.h5")
    assert contents(load_source(tmp_path / "i.h5", root=tmp_path / "moved"))["cat/1"] == PNG
    write_one(tmp_path / "moved", "1.png", *[f"{i}.png" for i in range(2, 20)])
    with pytest.raises(InputError, match=r"cat\.tar: \d+ bytes, was"):
        load_source(tmp_path / "i.h5", root=tmp_path / "moved")


def shard(root, *members, name="part-000000"):
    return write_tar(root / f"{name}.tar", members)


def test_numbers_without_names_are_padded_so_that_their_order_stays(tmp_path):
    members = [(f"{i}.{s}", c) for i in (9, 10) for s, c in (("png", PNG), ("cls", b"%d" % i))]
    shard(tmp_path, *members)
    source = index_webdataset(tmp_path)
    assert ids(source) == ["09/9", "10/10"]
    names = [f"c{i}" for i in range(11)]
    assert ids(index_webdataset(tmp_path, class_names=names)) == ["c10/10", "c9/9"]
    with pytest.raises(InputError, match="label 10, but there are 10 class names"):
        index_webdataset(tmp_path, class_names=names[:10])
    (tmp_path / "labels.txt").write_text("crane\n" * 11)
    with pytest.raises(InputError, match=r"labels\.txt: 'crane' stands for two classes"):
        index_webdataset(tmp_path)


def test_splits_are_those_of_shard_names_and_test_is_left_out_beside_val(tmp_path):
    for split in ("train", "val", "test"):
        shard(tmp_path, (f"cat/{split}.png", PNG), name=f"{split}-000000")
    source = open_source(tmp_path)
    assert ids(source) == ["cat/train", "cat/val"] and source.index.split.tolist() == [0, 1]
    assert source.report.ignored == 1
    (tmp_path / "val-000000.tar").unlink()
    assert ids(open_source(tmp_path)) == ["cat/test", "cat/train"]
    (tmp_path / "train-000000.tar").unlink()
    with pytest.raises(InputError, match="no training images"):
        open_source(tmp_path)


def test_a_folder_that_all_samples_share_is_no_class_when_there_are_labels(tmp_path):
    images = [(f"images/{i}.{s}", c) for i in "ab" for s, c in (("png", PNG), ("cls", i.encode()))]
    shard(tmp_path, *images)
    assert ids(open_source(tmp_path)) == ["a/a", "b/b"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("1.png", PNG)], r"part-000000\.tar: sample '1' has no class; wanted"),
        ([("1.png", PNG), ("1.json", b"{]")], "sample '1' has no class"),
        ([("1.cls", b"3")], r"part-000000\.tar: sample '1' has no image"),
        ([("c/1.a.png", PNG), ("c/1.b.png", PNG)], "sample 'c/1' has 2 images"),
        ([("1.png", PNG), ("1.cls", b"-1")], "label -1 is not a class"),
        ([("c/1.png", PNG), ("c/1.x", PNG), ("c/1.png", PNG)], "sample 'c/1' has 2 images"),
    ],
)
def test_samples_that_are_not_one_image_with_a_class_are_refused(tmp_path, members, message):
    shard(tmp_path, *members)
    with pytest.raises(InputError, match=message):
        index_webdataset(tmp_path)


def test_a_mask_beside_an_image_is_not_the_image(tmp_path):
    shard(tmp_path, ("c/1.mask.png", b"mask"), ("c/1.png", PNG))
    assert contents(index_webdataset(tmp_path)) == {"c/1": PNG}


def test_one_id_in_two_shards_is_refused_and_both_are_named(tmp_path):
    for number in range(2):
        shard(tmp_path, ("c/1.png", PNG), name=f"part-{number:06d}")
    with pytest.raises(InputError, match=r"one id 'c/1': part-000000\.tar .* and part-000001\.tar"):
        index_webdataset(tmp_path)


def test_damaged_shards_are_used_up_to_the_damage_when_allowed(tmp_path):
    write_shards(tmp_path, toy_images(), "cls")
    path = tmp_path / "part-000001.tar"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError, match=r"1 of 3 tars are damaged: part-000001\.tar at byte"):
        open_source(tmp_path)
    source = open_source(tmp_path, allow_damaged=True)
    assert 35 < source.index.n < 60 and len(source.report.damaged) == 1


def test_tars_named_by_numbers_only_are_not_guessed(tmp_path):
    write_tar(tmp_path / "00.tar", [("1.png", PNG)])
    with pytest.raises(InputError, match="may be classes or shards; say which with --format"):
        detect(tmp_path)
    assert ids(open_source(tmp_path, "class-tars")) == ["00/1"]


def test_class_tars_beside_class_folders_are_not_guessed(tmp_path):
    write_class_tars(tmp_path, toy_images())
    (tmp_path / "elk").mkdir()
    with pytest.raises(
        InputError, match=r"class folders \(elk/\) and tars \(ant\.tar\); .*--format"
    ):
        open_source(tmp_path)
    assert open_source(tmp_path, "class-tars").index.n == 60


def test_reading_order_goes_through_each_tar_once(tmp_path):
    source = index_webdataset(write_shards(tmp_path, toy_images()))
    rows = np.arange(60)[::-1]
    ordered = rows[source.reading_order(rows)]
    place = list(zip(source.container[ordered], source.offset[ordered], strict=True))
    assert place == sorted(place)
