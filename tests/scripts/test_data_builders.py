"""How names become labels, which sets may be used, and which drawings count as repeats."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from embedded import (
    dataset,
    declaring,
    drawings,
    emoji_names,
    icon_names,
    iconify,
    packages,
    pca,
    principal,
    wordnet,
)

from clusterbench.errors import ClusterbenchError, InputError

DATA = """  1 licence line
00001740 03 n 01 entity 0 001 ~ 00015388 n 0000 | all
00015388 03 n 02 animal 0 beast 0 001 @ 00001740 n 0000 | a living organism
02084071 05 n 02 dog 0 domestic_dog 0 002 @ 00015388 n 0000 @ 00001740 n 0000 | a dog | barks
02114100 05 n 01 wolf 0 001 @ 00015388 n 0000 | wild
02134084 05 n 02 ice_bear 0 polar_bear 0 001 @ 00015388 n 0000 | white
02330245 05 n 01 mouse 0 001 @ 00015388 n 0000 | rodent
03793489 06 n 01 mouse 1 001 @ 00001740 n 0000 | device
06874185 10 n 01 traffic_light 0 001 @ 00001740 n 0000 | signal
08473623 14 n 01 traffic 0 001 @ 00001740 n 0000 | vehicles
09358358 17 n 01 Moon 0 001 @i 00001740 n 0000 | satellite
"""
INDEX = """  1 licence line
dog n 1 1 @ 1 1 02084071
wolf n 1 1 @ 1 1 02114100
polar_bear n 1 1 @ 1 0 02134084
mouse n 2 1 @ 2 1 02330245 03793489
traffic_light n 1 1 @ 1 0 06874185
traffic n 1 1 @ 1 1 08473623
moon n 1 1 @i 1 1 09358358
"""


@pytest.fixture
def nouns() -> wordnet.Nouns:
    return wordnet.parse(DATA, INDEX, "wolves wolf\nmice mouse\n")


class TestWordnet:
    def test_names_parents_and_senses(self, nouns: wordnet.Nouns) -> None:
        assert nouns.names["n02134084"] == "ice bear"
        assert nouns.senses["mouse"] == ("n02330245", "n03793489")
        assert nouns.ancestors("n02084071") == ["n00015388", "n00001740"]
        assert nouns.ancestors("n09358358") == ["n00001740"]  # an instance hangs in the tree too

    def test_a_synset_has_all_its_words_and_hypernyms(self) -> None:
        line = "02084071 05 n 02 dog 0 domestic_dog 0 002 @ 00015388 n 0000 @i 00001740 n 0000"
        gloss = 'a pet; it barks; "the dog barked"; "good dog"'

        assert wordnet.parse_synsets(f"  1 licence\n{line} | {gloss}  \n") == {
            "n02084071": wordnet.Synset(
                ("dog", "domestic dog"), ("n00015388", "n00001740"), "a pet; it barks"
            )
        }

    @pytest.mark.parametrize(
        ("words", "lemma"),
        [
            (("dog",), "dog"),
            (("dogs",), "dog"),
            (("wolves",), "wolf"),
            (("polar", "bear"), "polar_bear"),
            (("traf", "fic"), "traffic"),
            (("do", "g"), None),  # a particle is not glued on
            (("dog", "house"), None),  # no first word of a compound
        ],
    )
    def test_lemma(self, nouns: wordnet.Nouns, words: tuple[str, ...], lemma: str | None) -> None:
        assert nouns.lemma(words) == lemma


class TestPrincipalHypernyms:
    #: f has two hypernyms, and so has the unlisted e above it.
    HYPERNYMS: ClassVar = {
        "a": (),
        "b": ("a",),
        "c": ("a",),
        "e": ("b", "c"),
        "f": ("e", "a"),
        "g": ("e",),
    }

    def test_what_the_tree_leaves_open_stays_at_the_first(self) -> None:
        parents = {"b": None, "c": None, "f": "b", "g": "b"}

        assert principal.principal_hypernyms(self.HYPERNYMS, parents) == {}

    def test_a_choice_further_up_counts_for_all_below(self) -> None:
        parents = {"b": None, "c": None, "f": "c", "g": "c"}

        assert principal.principal_hypernyms(self.HYPERNYMS, parents) == {"e": 1}

    def test_two_classes_can_take_different_hypernyms(self) -> None:
        parents = {"b": None, "c": None, "f": None, "g": "b"}

        assert principal.principal_hypernyms(self.HYPERNYMS, parents) == {"f": 1}

    @pytest.mark.parametrize("parents", [{"c": None, "b": "c"}, {"b": None, "c": None, "g": "a"}])
    def test_a_tree_that_is_not_wordnets_is_refused(self, parents: dict) -> None:
        with pytest.raises(InputError, match="no hypernym leads to its parent"):
            principal.principal_hypernyms(self.HYPERNYMS, parents)


class TestIconNames:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("dog", ("dog",)),
            ("dog-outline", ("dog",)),
            ("dog-24-filled", ("dog",)),
            ("dog-02", ("dog",)),
            ("dog2", ("dog",)),
            ("dog-two-tone", ("dog",)),
            ("outline", ("outline",)),
            ("traffic-light", ("traffic", "light")),
            ("traffic-light-duotone", ("traffic", "light")),
            ("text-bold", ("text", "bold")),
            ("dog-off", ("dog", "off")),
            ("dog-house", ("dog", "house")),
        ],
    )
    def test_read(self, name: str, words: tuple[str, ...]) -> None:
        assert icon_names.read(name) == words

    def test_prefixes_and_suffixes_of_a_set(self) -> None:
        names = [f"baseline-{w}-light" for w in "abcdefgh"]
        prefixes, suffixes = icon_names.set_styles([*names, "traffic-light"])

        assert (prefixes, suffixes) == ({"baseline"}, {"light"})
        assert icon_names.read("baseline-dog-light", prefixes, suffixes) == ("dog",)

    def test_a_rare_ending_is_no_style_of_the_set(self) -> None:
        names = [f"dog-{i}" for i in range(99)]

        assert icon_names.set_styles([*names, "traffic-light"]) == (frozenset(), frozenset())

    @pytest.mark.parametrize(
        ("name", "synset"),
        [
            ("dog-fill", "n02084071"),
            ("traffic-light", "n06874185"),
            ("traffic-solid", None),
            ("wolves-outline", "n02114100"),
            ("mouse", "n03793489"),
            ("moon", None),
            ("dog-off", None),
            ("x", None),
            ("404", None),
        ],
    )
    def test_label(self, nouns: wordnet.Nouns, name: str, synset: str | None) -> None:
        choices = {"mouse": 2, "moon": None}

        assert icon_names.label(name, nouns, choices) == synset

    def test_two_styles_of_a_drawing_are_kept(self) -> None:
        names = ["dog", "dog-bold", "dog-fill", "dog-light", "dog-thin", "dog-duotone"]

        assert icon_names.pick_styles(names) == ["dog", "dog-fill"]

    def test_numbered_drawings_differ_and_sizes_do_not(self) -> None:
        assert icon_names.pick_styles(["dog-16", "dog-24", "dog-2"]) == ["dog-16", "dog-2"]

    def test_the_choices_file_is_sorted_and_complete(self) -> None:
        path = Path(icon_names.__file__).parent / "icon_senses.tsv"
        choices = icon_names.load_choices(path)

        assert list(choices) == sorted(choices)
        assert choices["mouse"] == 4
        assert choices["google"] is None
        assert all(number is None or number > 1 for number in choices.values())


class TestSets:
    INFO = iconify.SetInfo("lucide", "Lucide", "Contributors", "", "ISC", "UI 24px", False)

    def test_a_permissive_set_is_used(self) -> None:
        assert iconify.is_usable(self.INFO)

    @pytest.mark.parametrize(
        "change",
        [
            {"licence": "GPL-3.0"},
            {"licence": "CC-BY-SA-4.0"},
            {"licence": "CC-BY-NC-4.0"},
            {"licence": "OFL-1.1"},
            {"licence": "MPL-2.0"},
            {"licence": ""},
            {"category": "Logos"},
            {"category": "Emoji"},
            {"hidden": True},
            {"prefix": "fa6-brands"},
            {"prefix": "circle-flags"},
        ],
    )
    def test_other_sets_are_left_out(self, change: dict[str, object]) -> None:
        assert not iconify.is_usable(iconify.SetInfo(**(vars(self.INFO) | change)))

    def test_icons_without_hidden_animated_and_written_ones(self) -> None:
        data = {
            "prefix": "p",
            "width": 24,
            "height": 20,
            "icons": {
                "b": {"body": "<path/>", "left": -1, "width": 30},
                "a": {"body": "<path/>"},
                "c": {"body": "<path/>", "hidden": True},
                "d": {"body": "<path><animate/></path>"},
                "e": {"body": "<text>e</text>"},
            },
            "aliases": {"f": {"parent": "a"}},
        }
        found = list(iconify.icons(data))

        assert [icon.name for icon in found] == ["a", "b"]
        assert found[0].view_box == (0, 0, 24, 20)
        assert found[1].view_box == (-1, 0, 30, 20)
        assert 'viewBox="-1 0 30 20"' in found[1].svg(112)


EMOJI_TEST = """# emoji-test.txt
# group: Smileys & Emotion
# subgroup: face-smiling
1F600 ; fully-qualified # 😀 E1.0 grinning face
263A FE0F ; fully-qualified # ☺️ E0.6 smiling face
263A ; unqualified # ☺ E0.6 smiling face
# group: People & Body
# subgroup: hands
1F44B ; fully-qualified # 👋 E0.6 waving hand
1F44B 1F3FB ; fully-qualified # 👋🏻 E1.0 waving hand: light skin tone
# group: Component
1F3FB ; component # 🏻 E1.0 light skin tone
# group: Flags
# subgroup: country-flag
1F1E6 1F1FC ; fully-qualified # 🇦🇼 E2.0 flag: Aruba
"""
CHARACTERS = "1F44B;WAVING HAND SIGN;So;0;ON;;;;;N;OLD HAND NAME;;;;\n0041;LATIN A;;;;;;;;;;;;;\n"


class TestEmoji:
    @pytest.fixture
    def emoji(self) -> dict[str, emoji_names.Emoji]:
        return emoji_names.parse_list(EMOJI_TEST)

    def test_list(self, emoji: dict[str, emoji_names.Emoji]) -> None:
        assert list(emoji) == ["1f600", "263a", "1f44b", "1f44b-1f3fb", "1f1e6-1f1fc"]
        assert emoji["263a"].name == "smiling face"
        assert emoji["1f44b"].subgroup_node == "s/People & Body/hands"
        assert [code for code in emoji if emoji[code].has_tone] == ["1f44b-1f3fb"]

    @pytest.mark.parametrize(
        ("prefix", "name", "code"),
        [
            ("coded", "any-name", "1f600"),  # by the set's table
            ("named", "smiling-face", "263a"),  # by Unicode's name
            ("named", "any-name", "1f600"),  # by another set's name
            ("named", "old-name", "1f600"),  # by an alias
            ("named", "mirrored", None),
            ("named", "wavinghandsign", "1f44b"),  # by the character's name
            ("named", "old-hand-name", "1f44b"),
            ("named", "flag-for-aruba", "1f1e6-1f1fc"),
            ("named", "latin-a", None),  # a character that is no emoji
            ("named", "unheard-of", None),
        ],
    )
    def test_lookup(
        self, emoji: dict[str, emoji_names.Emoji], prefix: str, name: str, code: str | None
    ) -> None:
        aliases = {
            "old-name": {"parent": "any-name"},
            "mirrored": {"parent": "any-name", "hFlip": True},
        }
        sets = [
            emoji_names.EmojiSet("coded", {"1f600": "any-name"}, aliases),
            emoji_names.EmojiSet("named", {}, {}),
        ]
        found = emoji_names.Lookup(emoji, sets, CHARACTERS).find(prefix, name)

        assert (found.code if found else None) == code


def drawing(name: str, *, seed: int, shade: int = 0, class_name: str = "a") -> drawings.Drawing:
    blocks = np.random.default_rng(seed).integers(0, 2, (8, 8)).astype(np.uint8)
    pixels = np.where(np.kron(blocks, np.ones((14, 14), np.uint8)) > 0, 255, shade)
    return drawings.Drawing(class_name, name, np.repeat(pixels[..., None], 3, 2).astype(np.uint8))


class TestDrawings:
    def test_an_svg_is_drawn_in_black_on_white_and_centred(self) -> None:
        icon = iconify.Icon("p", "n", '<path fill="currentColor" d="M0 0h8v4H0z"/>', (0, 0, 8, 4))
        pixels = drawings.render(icon.svg(drawings.SIZE))

        assert pixels is not None
        assert pixels.shape == (112, 112, 3)
        assert pixels[56, 56].tolist() == [0, 0, 0]
        assert pixels[10, 56].tolist() == [255, 255, 255]

    def test_what_cannot_be_drawn_or_is_blank_is_left_out(self) -> None:
        assert drawings.render("<svg") is None
        good = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>'
        )
        blank = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
        documents = [("a", "x", good), ("a", "y", blank), ("a", "z", "<svg")]

        assert [d.id for d in drawings.draw(documents, 1)] == ["a/x"]

    def test_of_exact_copies_the_commonest_class_keeps_one(self) -> None:
        copies = [
            drawing("1", seed=1, class_name="rare"),
            drawing("2", seed=1, class_name="usual"),
            drawing("3", seed=1, class_name="usual"),
            drawing("4", seed=2, class_name="rare"),
        ]

        assert [d.id for d in drawings.drop_copies(copies)] == ["rare/4", "usual/2"]

    def test_near_copies_of_a_class_are_dropped(self) -> None:
        same = [drawing("1", seed=1), drawing("2", seed=1, shade=60), drawing("3", seed=2)]
        other = drawing("4", seed=1, shade=60, class_name="b")

        kept = drawings.drop_near_copies([*same, other])
        assert [d.id for d in kept] == ["a/1", "a/3", "b/4"]

    def test_small_classes_are_dropped(self) -> None:
        many = [drawing(str(i), seed=i) for i in range(4)]
        few = [drawing(str(i), seed=i, class_name="b") for i in range(3)]

        assert drawings.drop_small_classes([*many, *few], 4) == many


class TestDataset:
    @pytest.mark.parametrize(("n", "val"), [(4, 2), (5, 2), (8, 2), (9, 3), (100, 30)])
    def test_share_of_val(self, n: int, val: int) -> None:
        assert declaring.n_val(n) == val

    def test_val_images_do_not_depend_on_the_order(self) -> None:
        ids = [f"a/{i}" for i in range(20)]

        assert declaring.val_ids(ids) == declaring.val_ids(ids[::-1])
        assert len(declaring.val_ids(ids)) == 6

    def test_images_are_written_by_split_and_class(self, tmp_path: Path) -> None:
        drawn = [drawing(str(i), seed=i) for i in range(4)]
        dataset.write_images(drawn, tmp_path)
        files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))

        assert len(files) == 4
        assert {file.rpartition("/")[0] for file in files} == {"train/a", "val/a"}

    def test_tree_is_sorted_and_roots_have_no_parent(self) -> None:
        nodes = [declaring.Node("b", "a", "bee"), declaring.Node("a", None, "ay")]

        assert declaring.tree_text(nodes) == "node\tparent\tname\na\t\tay\nb\ta\tbee\n"


class TestPca:
    def test_components_agree_with_the_singular_vectors(self) -> None:
        features = np.random.default_rng(0).normal(size=(200, 6)) * [5, 4, 3, 2, 1, 0.5]
        fitted = pca.fit(features, 3)
        centred = features - features.mean(axis=0)
        left, values, vectors = np.linalg.svd(centred, full_matrices=False)
        signs = np.sign((fitted.components * vectors[:3]).sum(axis=1))

        assert np.allclose(fitted.components, vectors[:3] * signs[:, None])
        assert fitted.variance_kept == pytest.approx((values[:3] ** 2).sum() / (values**2).sum())
        assert np.allclose(fitted.project(features), left[:, :3] * signs * np.sqrt(199))

    def test_signs_are_fixed(self) -> None:
        features = np.random.default_rng(1).normal(size=(50, 4))
        components = pca.fit(features, 4).components

        largest = components[np.arange(4), np.abs(components).argmax(axis=1)]
        assert (largest > 0).all()

    def test_square_roots_at_length_one(self) -> None:
        rows = pca.unit_root_rows(np.array([[9.0, -16.0], [0.0, 0.0]]))

        assert np.allclose(rows, [[0.6, -0.8], [0, 0]])


class TestPackages:
    def test_file_names_are_those_of_the_clients(self) -> None:
        npm = packages.Package("npm", "@iconify/json", "2.2.535", "")
        deb = packages.Package("deb", "wordnet-base", "1:3.0-37", "")

        wheel = packages.Package("wheel", "datadings", "3.4.7", "")

        assert wheel.file_name == "datadings-3.4.7-py3-none-any.whl"
        assert wheel.command[-2:] == ("--no-deps", "datadings==3.4.7")
        assert npm.file_name == "iconify-json-2.2.535.tgz"
        assert npm.command == ("npm", "pack", "--silent", "@iconify/json@2.2.535")
        assert deb.file_name == "wordnet-base_1%3a3.0-37_all.deb"
        assert deb.command == ("apt-get", "download", "wordnet-base=1:3.0-37")

    def test_a_file_of_another_hash_is_refused(self, tmp_path: Path) -> None:
        package = packages.Package("npm", "x", "1", "0" * 64)
        (tmp_path / package.file_name).write_bytes(b"other")

        with pytest.raises(InputError, match="SHA-256"):
            packages.fetch(package, tmp_path)

    def test_a_missing_client_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(ClusterbenchError, match=r"put x-1\.tgz into"):
            packages.fetch(packages.Package("npm", "x", "1", ""), tmp_path)

    def test_files_of_a_wheel_are_read(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "w.whl", "w") as wheel:
            wheel.writestr("a/b.json", "{}")

        assert packages.read_wheel(tmp_path / "w.whl", {"a/b.json"}) == {"a/b.json": b"{}"}
        with pytest.raises(KeyError):
            packages.read_wheel(tmp_path / "w.whl", {"b.json"})

    def test_files_of_both_kinds_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "n.tgz").write_bytes(archive("package/a.json", b"{}"))
        inner = archive("./usr/share/a.txt", b"odd")
        members = [(b"debian-binary", b"2.0\n"), (b"data.tar.gz", inner)]
        (tmp_path / "d.deb").write_bytes(b"!<arch>\n" + b"".join(map(ar_member, members)))

        assert packages.read_npm(tmp_path / "n.tgz", {"a.json"}) == {"a.json": b"{}"}
        assert packages.read_deb(tmp_path / "d.deb", {"/usr/share/a.txt"}) == {
            "/usr/share/a.txt": b"odd"
        }
        with pytest.raises(KeyError):
            packages.read_npm(tmp_path / "n.tgz", {"b.json"})


def archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def ar_member(member: tuple[bytes, bytes]) -> bytes:
    name, content = member
    header = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"100644".ljust(8)
    header += str(len(content)).encode().ljust(10) + b"`\n"
    return header + content + b"\n" * (len(content) % 2)
