"""Glyphs: radicals, which characters a face draws, the split, and a data set made of them."""

from __future__ import annotations

import bz2
import dataclasses
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import build_glyphs
import matplotlib
import numpy as np
import onnx
import pytest
from embedded import building, glyphs, recogniser, typefaces, unihan
from embedded.declaring import Declaration, Node, n_val
from embedded.packages import Package, fetch, read_wheel

from clusterbench.datasets import registry
from clusterbench.errors import ClusterbenchError, InputError
from clusterbench.features.encoders.encoder import Encoder, load_encoder
from clusterbench.features.encoders.images import decode
from clusterbench.features.encoders.recipe import Preprocessing, Recipe

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
NAMES = ("sans", "bold", "serif", "mono", "oblique")
FILES = tuple(
    (FONTS / f"DejaVu{name}.ttf", 0)
    for name in ("Sans", "Sans-Bold", "Serif", "SansMono", "Sans-Oblique")
)
A, B, SPACE, IDEOGRAPH = 0x41, 0x42, 0x20, 0x4E00

UNIHAN = """# kRSUnicode
U+3400\tkRSUnicode\t1.4
U+4E00\tkTotalStrokes\t1
U+4E00\tkRSUnicode\t1.0
U+7EA0\tkRSUnicode\t120'.2
U+9F9C\tkRSUnicode\t213.0 5.15
U+31DE5\tkRSUnicode\t187''.3
"""
CHARACTERS = "\n".join(
    ["0041;LATIN CAPITAL LETTER A;Lu;"]
    + [f"{0x2F00 + i:04X};KANGXI RADICAL NUMBER {i + 1};So;" for i in range(214)]
)


class TestUnihan:
    def test_the_first_radical_counts_and_its_form_does_not(self) -> None:
        assert unihan.parse_radicals(UNIHAN) == {
            0x3400: 1,
            0x4E00: 1,
            0x7EA0: 120,
            0x9F9C: 213,
            0x31DE5: 187,
        }

    @pytest.mark.parametrize("value", ["215.0", "0.3", "x.1", ""])
    def test_what_is_no_radical_is_named(self, value: str) -> None:
        with pytest.raises(InputError, match=r"U\+4E00.*wanted a radical from 1 to 214"):
            unihan.parse_radicals(f"U+4E00\tkRSUnicode\t{value}")

    def test_names(self) -> None:
        names = unihan.radical_names(CHARACTERS)

        assert len(names) == 214
        assert names[85] == "number 85"

    def test_characters_hang_below_their_radicals(self) -> None:
        names = unihan.radical_names(CHARACTERS)
        nodes = unihan.tree([0x4E00, 0x7EA0], unihan.parse_radicals(UNIHAN), names)

        assert nodes == [
            Node("r001", None, "⼀ number 1"),
            Node("u4e00", "r001", "一"),
            Node("r120", None, "⽷ number 120"),
            Node("u7ea0", "r120", "纠"),
        ]

    def test_a_character_without_a_radical_is_named(self) -> None:
        with pytest.raises(InputError, match=r"no radical for U\+4E01"):
            unihan.tree([0x4E01], {0x4E00: 1}, {1: "one"})


class TestPen:
    def test_blank_and_missing_characters_are_told(self) -> None:
        pen = glyphs.Pen(*FILES[0])

        assert pen.draws("A")
        assert not pen.draws(chr(SPACE))
        assert not pen.draws(chr(IDEOGRAPH))  # the box that stands for it is no drawing

    @pytest.mark.parametrize("character", ["A", "-", "|", "@"])
    def test_the_ink_is_in_the_middle(self, character: str) -> None:
        pixels = glyphs.Pen(*FILES[0]).draw(character)
        rows, columns = np.nonzero(pixels < 255)

        assert pixels.shape == (48, 48)
        assert pixels.dtype == np.uint8
        assert abs(rows.min() + rows.max() - 47) <= 1
        assert abs(columns.min() + columns.max() - 47) <= 1

    def test_the_same_pixels_twice(self) -> None:
        once, again = (glyphs.Pen(*FILES[1]).draw("R") for _ in range(2))

        assert np.array_equal(once, again)

    def test_a_file_that_is_no_font_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "x.ttf").write_bytes(b"no font")

        with pytest.raises(InputError, match=r"x\.ttf, face 0: FreeType cannot read it"):
            glyphs.Pen(tmp_path / "x.ttf")


class TestSource:
    def test_a_class_per_character_and_an_image_per_face(self) -> None:
        source = glyphs.glyph_source(NAMES, FILES, [A, B, SPACE, IDEOGRAPH])
        index = source.index

        assert index.class_names == ("u0041", "u0042")
        assert [index.id(row) for row in range(5)] == [f"u0041/{name}" for name in sorted(NAMES)]
        assert index.n == 10

    @pytest.mark.parametrize("n_faces", [4, 5])
    def test_two_of_four_or_five_images_are_val(self, n_faces: int) -> None:
        source = glyphs.glyph_source(NAMES[:n_faces], FILES[:n_faces], range(0x41, 0x5B))
        index = source.index

        assert np.bincount(index.labels[index.rows("val")]).tolist() == [2] * 26
        assert len(set(index.split.reshape(26, -1).argmax(axis=1))) > 1  # not the same face always

    def test_of_twenty_four_images_seven_are_val(self) -> None:
        assert n_val(24) == 7

    def test_classes_of_too_few_drawings_are_left_out(self) -> None:
        with pytest.raises(InputError, match="no character is drawn by 4 of the 3 faces; tried 2"):
            glyphs.glyph_source(NAMES[:3], FILES[:3], [A, B])

    def test_images_are_files_of_their_pixels(self) -> None:
        source = glyphs.glyph_source(NAMES, FILES, [A, B])
        copy = pickle.loads(pickle.dumps(source))
        row = [source.index.id(row) for row in range(10)].index("u0042/serif")
        image = decode(copy.read(row))

        assert np.array_equal(np.asarray(image)[..., 0], glyphs.Pen(*FILES[2]).draw("B"))
        assert copy.read(row) == source.read(row)


class TestTypefaces:
    def test_faces_are_told_apart_and_pinned(self) -> None:
        faces = typefaces.FACES

        assert len(faces) == 24
        assert len({face.name for face in faces}) == 24
        assert len({(face.file, face.number) for face in faces}) == 24
        assert all(len(face.package.sha256) == 64 and face.licence for face in faces)

    def test_fonts_are_taken_out_of_their_package(
        self,
        tmp_path: Path,
        make_deb: Callable[[dict[str, bytes]], Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        package = make_deb({"/usr/share/fonts/a/x.ttf": b"x", "/usr/share/fonts/a/y.ttc": b"y"})
        monkeypatch.setattr(typefaces, "fetch", lambda *_: package)
        pinned = Package("deb", "fonts-a", "1", "")
        faces = tuple(
            typefaces.Typeface(name, pinned, file, number)
            for name, file, number in (
                ("x", "a/x.ttf", 0),
                ("y", "a/y.ttc", 0),
                ("z", "a/y.ttc", 1),
            )
        )
        paths = typefaces.unpack(faces, tmp_path, tmp_path / "fonts")

        assert [path.read_bytes() for path in paths] == [b"x", b"y", b"y"]

    def test_a_missing_client_says_which_file_is_wanted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(
            ClusterbenchError,
            match=r"apt-get is not installed; put "
            r"fonts-noto-cjk_1%3a20220127\+repack1-1_all\.deb into",
        ):
            typefaces.unpack(typefaces.FACES[:1], tmp_path, tmp_path / "fonts")


class TestRecogniser:
    def test_the_wheel_is_downloaded_by_pip_without_what_it_needs(self) -> None:
        assert recogniser.WHEEL.file_name == "rapidocr_onnxruntime-1.4.4-py3-none-any.whl"
        assert recogniser.WHEEL.command[-2:] == ("--no-deps", "rapidocr-onnxruntime==1.4.4")

    def test_a_wheel_that_is_not_there_to_download_says_what_to_do(self, tmp_path: Path) -> None:
        none = Package("wheel", "no package has this name", "1", "")

        with pytest.raises(ClusterbenchError, match="put the file into"):
            fetch(none, tmp_path)

    def test_files_of_a_wheel(self, tmp_path: Path) -> None:
        import zipfile

        with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
            archive.writestr("a/b.onnx", b"model")

        assert read_wheel(tmp_path / "a.whl", {"a/b.onnx"}) == {"a/b.onnx": b"model"}
        with pytest.raises(KeyError):
            read_wheel(tmp_path / "a.whl", {"a/c.onnx"})

    def test_an_inner_tensor_becomes_an_output(self) -> None:
        model = onnx.load_from_string(recogniser.with_output(tiny_model(), "inner"))

        assert [output.name for output in model.graph.output] == ["last", "inner"]
        assert len(model.graph.node) == 3


def tiny_model() -> bytes:
    """Images (b, 3, s, s) to "inner", (b, s, s) with rows as time, then to "last"."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=0),
        helper.make_node("Transpose", ["grey"], ["inner"], perm=[0, 2, 1]),
        helper.make_node("Softmax", ["inner"], ["last"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, ["b", 3, 48, 48])],
        [helper.make_tensor_value_info("last", kind, ["b", 48, 48])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(recogniser.with_output(tiny_model(), "inner"))
    return load_encoder(
        Recipe(
            "tiny",
            "onnx",
            str(file),
            dim=48,
            preprocessing=Preprocessing(48),
            model_args={"output": "inner", "pooling": "mean"},
        )
    )


DECLARATION = Declaration("letters", "Letters", 'of the "fonts"')


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


class TestBuild:
    def test_a_data_set_that_the_registry_finds(self, home: Path, encoder: Encoder) -> None:
        source = glyphs.glyph_source(NAMES, FILES, [A, B])
        tree = [Node("r", None, "root"), Node("u0041", "r", "A"), Node("u0042", "r", "B")]
        building.build(building.folder(None, "letters"), source, encoder, DECLARATION, tree)
        found = registry.load("letters")
        drawn = np.stack(
            [glyphs.Pen(*FILES[NAMES.index(name)]).draw("A") for name in sorted(NAMES)]
        )
        wanted = (drawn / 255 - 0.5) / 0.5

        assert found.preset == "laptop"
        assert found.licence == 'of the "fonts"'
        assert found.tree is not None
        assert found.store().dtype == np.float16
        # the mean over time, which are the columns of an image, is a mean of each of its rows
        assert np.allclose(found.store().read(slice(0, 5)), wanted.mean(axis=2), atol=1e-3)

    def test_the_same_bytes_twice(self, tmp_path: Path, encoder: Encoder) -> None:
        for name, workers in (("one", 1), ("two", 2)):
            source = glyphs.glyph_source(NAMES, FILES, range(0x41, 0x5B), workers)
            building.build(tmp_path / name, source, encoder, DECLARATION, workers=workers)

        assert contents(tmp_path / "one") == contents(tmp_path / "two")

    def test_what_stopped_half_way_is_no_data_set_and_goes_on(
        self, home: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(building, "SHARD_ROWS", 50)
        source = glyphs.glyph_source(NAMES, FILES, range(0x41, 0x5B))
        output = building.folder(None, "letters")
        gone = ((Path("gone.ttf"), 0),)
        late = dataclasses.replace(
            source,
            files=source.files + gone,
            face=np.where(np.arange(130) < 110, source.face, 5).astype(np.uint8),
        )
        with pytest.raises(InputError, match=r"gone\.ttf"):
            building.build(output, late, encoder, DECLARATION, workers=0)
        assert "letters" not in registry.names()

        done = building.build(output, source, encoder, DECLARATION, workers=0)
        assert done.n_new < 130
        assert registry.load("letters").store().n == 130

    def test_other_images_in_the_same_folder_are_refused(
        self, tmp_path: Path, encoder: Encoder
    ) -> None:
        for codes, outcome in (([A, B], True), ([A], False)):
            source = glyphs.glyph_source(NAMES, FILES, codes)
            if outcome:
                building.build(tmp_path / "letters", source, encoder, DECLARATION)
                continue
            with pytest.raises(InputError, match="holds other features"):
                building.build(tmp_path / "letters", source, encoder, DECLARATION)


class TestScript:
    def test_fewer_classes_are_some_of_more(self) -> None:
        few, more, every = (build_glyphs.choose(n) for n in (5, 50, 20_992))

        assert few == sorted(few)
        assert set(few) < set(more)
        assert every == list(range(0x4E00, 0xA000))

    @pytest.mark.parametrize("n", [0, 20_993])
    def test_a_number_of_classes_that_there_is_not(self, n: int) -> None:
        with pytest.raises(InputError, match=rf"--classes {n}; wanted 1 to 20992"):
            build_glyphs.choose(n)

    def test_the_tree_is_read_from_the_package(
        self, make_deb: Callable[[dict[str, bytes]], Path]
    ) -> None:
        package = make_deb(
            {
                "/usr/share/unicode/Unihan_IRGSources.txt.bz2": bz2.compress(UNIHAN.encode()),
                "/usr/share/unicode/UnicodeData.txt": CHARACTERS.encode(),
            }
        )

        assert [node.id for node in build_glyphs.read_tree(package, [0x4E00])] == ["r001", "u4e00"]

    def test_an_error_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["build_glyphs.py", "downloads", "--classes", "0"])

        with pytest.raises(SystemExit) as stopped:
            building.command(build_glyphs.main)
        assert stopped.value.code == 2
        assert capsys.readouterr().err == "error: --classes 0; wanted 1 to 20992\n"
