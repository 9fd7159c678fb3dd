import io
import json
import tarfile

import pytest
from PIL import Image
from typer.testing import CliRunner

from clusterbench import InputError
from clusterbench.cli.main import app
from clusterbench.sources.folder import index_folder
from clusterbench.sources.saved import load_source


def png(number):
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3), (number, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def birds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(12):
        path = tmp_path / "birds" / f"c{min(number // 4, 1)}" / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    (tmp_path / "birds" / "c1" / "notes.txt").write_text("x")
    (tmp_path / "birds" / "none").mkdir()
    return tmp_path / "birds"


def call(*words):
    return CliRunner().invoke(app, ["index", *map(str, words)], catch_exceptions=True)


def test_it_prints_what_is_there_and_writes_a_source(birds):
    result = call("birds", "--output", "b.h5", "--val-first", 2)
    assert result.exit_code == 0
    for text in (
        "12 images (folder) in 2 classes, 8 train and 4 val",
        "smallest class c0 with 4 images, largest c1 with 8",
        "1 class holds no image (for example none)",
        "1 file or member was ignored",
        f"hash {load_source('b.h5').index.hash}",
    ):
        assert text in result.output
    assert load_source("b.h5").index.split.tolist() == [1, 1, 0, 0] + [1, 1] + [0] * 6


def test_json_has_the_same_facts(birds):
    found = json.loads(call("birds", "--output", "b.h5", "--json").stdout)
    assert found["hash"] == index_folder(birds).index.hash
    assert (found["images"], found["train"], found["val"]) == (12, 12, 0)
    assert found["largest_class"] == {"name": "c1", "images": 8}
    assert found["empty_classes"] == ["none"] and found["ignored"] == 1


def test_a_saved_index_is_a_source_and_small_classes_can_be_left_out(birds):
    assert call("birds", "--output", "b.h5").exit_code == 0
    result = call("b.h5", "--output", "c.h5", "--min-per-class", 5)
    assert "8 images (folder) in 1 class" in result.output


def test_damaged_tars_are_used_only_when_asked(birds, tmp_path):
    path = tmp_path / "tars" / "c.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        tar.add(birds / "c0", "c")
    path.write_bytes(path.read_bytes()[: 12 * 512])
    result = call("tars", "--output", "t.h5")
    assert "1 of 1 tars are damaged" in str(result.exception)
    result = call("tars", "--output", "t.h5", "--allow-damaged")
    assert result.exit_code == 0 and "1 tar is damaged and used in part" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["birds"], "--output is missing"),
        (["gone", "--output", "x.h5"], "source gone does not exist"),
        (["birds", "--output", "x.h5", "--format", "stone"], "unknown format 'stone'"),
        (
            ["birds", "--output", "x.h5", "--class-names", "n.txt"],
            "class names n.txt: no such file",
        ),
        (["birds", "--output", "x.h5", "--imagenet21k-p", "--val-first", 3], "leave out"),
        (["birds", "--output", "x.h5", "--imagenet21k-p"], "no class has 501 images"),
        (["birds", "--output", "x.h5", "--root", "."], r"root \(--root\) has no meaning"),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(birds, tmp_path, words, message):
    result = call(*words)
    assert result.exit_code != 0
    with pytest.raises(type(result.exception), match=message):
        raise result.exception
    assert not (tmp_path / "x.h5").exists()


@pytest.mark.parametrize("kind", ["list", "folder"])
def test_a_file_that_is_no_index_is_not_overwritten(birds, kind):
    (birds.parent / "mine.csv").write_text("path,class\nbirds/c0/00.png,c0\n")
    (birds.parent / "folder").mkdir()
    output = "mine.csv" if kind == "list" else "folder"
    result = call("birds", "--output", output)
    assert isinstance(result.exception, InputError)
    assert "give the name of a new file" in str(result.exception)
    assert (birds.parent / "mine.csv").read_text().startswith("path,class")
    assert call("birds", "--output", "b.h5").exit_code == 0
    assert call("birds", "--output", "b.h5").exit_code == 0  # an index may be made again
