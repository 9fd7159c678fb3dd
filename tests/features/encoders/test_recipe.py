import pytest

from clusterbench import InputError
from clusterbench.features.encoders import recipes
from clusterbench.features.encoders.recipe import Preprocessing

GOOD = """
library = "timm"
model = "vit_tiny_patch16_224"
dim = 192
[preprocessing]
size = 224
crop_fraction = 0.9
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    (tmp_path / "features").mkdir()
    return tmp_path / "features"


def test_the_encoders_of_the_field_are_there():
    wanted = {"efficientnet-lite0", "clip-vit-b16", "clip-vit-l14", "dino-vitb16"}
    assert wanted | {"dinov2-vitb14", "dinov2-vitl14", "mae-vitb16"} <= set(recipes.names())


def test_a_users_recipe_is_found_and_wins(home):
    (home / "mine.toml").write_text(GOOD)
    (home / "dino-vitb16.toml").write_text(GOOD)
    assert recipes.load("mine").preprocessing == Preprocessing(224, crop_fraction=0.9)
    assert recipes.load("dino-vitb16").dim == 192
    assert "mine" in recipes.names()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dim = 192", "dims = 192", r"mine\.toml: unknown key 'dims'; did you mean dim"),
        (
            "size = 224",
            "size = 224\nzise = 1",
            r"preprocessing: unknown key 'zise'; did you mean size",
        ),
        ('library = "timm"', "", "the key 'library' is missing"),
        ("size = 224", "", r"preprocessing: the key 'size' is missing"),
        ('"timm"', '"tim"', "library = 'tim'; wanted one of"),
        ("dim = 192", 'parameters = "5"', "parameters = '5' should be a number"),
        ("dim = 192", 'dim = "192"', "dim = '192' should be a whole number"),
        ("size = 224", "size = true", "size = True should be a whole number"),
        ("size = 224", "size = 0", "size = 0; wanted 1 to 4096"),
        ("0.9", "1.9", r"crop_fraction = 1\.9"),
        ("0.9", '0.9\ncrop = "centre"', "crop = 'centre'; wanted 'center' or 'squash'"),
        ("0.9", '0.9\ninterpolation = "cubic"', "interpolation = 'cubic'; wanted one of"),
        ("0.9", "0.9\nmean = [0.5, 0.5]", "should be a list of 3 numbers"),
        ("0.9", "0.9\nstd = [0.5, 0.5, 0]", "std above 0"),
        ("dim = 192", "dim == 192", "not valid TOML"),
        ("dim = 192", 'name = "x"', "unknown key 'name'"),
    ],
)
def test_a_wrong_recipe_is_refused_with_file_and_key(home, old, new, message):
    assert old in GOOD
    (home / "mine.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=r"mine\.toml: ") as error:
        recipes.load("mine")
    assert error.match(message)


def test_unknown_encoder_gets_the_nearest_names():
    with pytest.raises(InputError, match="unknown encoder 'dinov2-vitb15'; did you mean dinov2"):
        recipes.load("dinov2-vitb15")


def test_model_names_of_libraries_need_no_file():
    found = recipes.load("open_clip:ViT-B-32/laion2b_s34b_b79k")
    assert (found.library, found.model, found.weights) == (
        "open_clip",
        "ViT-B-32",
        "laion2b_s34b_b79k",
    )
    assert recipes.load("timm:resnet18.a1_in1k").model == "resnet18.a1_in1k"


def test_a_python_function_and_an_onnx_file_are_named_on_the_command_line():
    found = recipes.load("python:package.module:function")
    assert (found.library, found.model) == ("python", "package.module:function")
    found = recipes.load("onnx:models/a.onnx")
    assert (found.library, found.model) == ("onnx", "models/a.onnx")


def test_a_recipe_file_is_taken_from_any_folder(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    found = recipes.load(str(tmp_path / "mine.toml"))
    assert (found.name, found.dim) == ("mine", 192)
    with pytest.raises(InputError, match=r"--encoder .*absent\.toml: no such recipe file"):
        recipes.load(str(tmp_path / "absent.toml"))


def test_the_model_of_an_onnx_recipe_is_looked_for_beside_it(tmp_path):
    text = 'library = "onnx"\nmodel = "{}"\n[preprocessing]\nsize = 8\n'
    for model, wanted in [
        ("a.onnx", str(tmp_path / "a.onnx")),
        ("/models/a.onnx", "/models/a.onnx"),
        ("", ""),
    ]:
        (tmp_path / "mine.toml").write_text(text.format(model))
        assert recipes.load(str(tmp_path / "mine.toml")).model == wanted


def test_identity_of_squash_has_no_crop_fraction():
    one, two = (Preprocessing(8, crop="squash", crop_fraction=f).identity() for f in (1.0, 0.5))
    assert one == two
