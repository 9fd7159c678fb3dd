import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from clusterbench.features.encoders.images import BrokenImage, decode, read_image, to_pixels
from clusterbench.features.encoders.recipe import Preprocessing

RED = (250, 10, 20)


def encode(image, suffix="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, suffix, **options)
    return buffer.getvalue()


def pixel(content, at=(0, 0)):
    image = decode(content)
    assert image.mode == "RGB"
    return image.getpixel(at)


@pytest.mark.parametrize("suffix", ["PNG", "BMP", "TIFF", "GIF", "PPM"])
def test_lossless_formats_give_their_pixels(suffix):
    assert pixel(encode(Image.new("RGB", (8, 8), RED), suffix)) == RED


@pytest.mark.parametrize("suffix", ["JPEG", "WEBP"])
def test_lossy_formats_give_nearly_their_pixels(suffix):
    np.testing.assert_allclose(pixel(encode(Image.new("RGB", (32, 32), RED), suffix)), RED, atol=8)


def test_transparency_lies_on_white():
    image = Image.new("RGBA", (2, 1), (*RED, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert pixel(encode(image)) == RED
    assert pixel(encode(image), (1, 0)) == (255, 255, 255)
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    np.testing.assert_allclose(pixel(encode(half)), (127, 127, 127), atol=1)


def test_grey_with_alpha_and_transparent_palettes_lie_on_white():
    assert pixel(encode(Image.new("LA", (1, 1), (0, 0)))) == (255, 255, 255)
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    assert pixel(encode(palette, transparency=0)) == (255, 255, 255)
    assert pixel(encode(palette)) == (9, 9, 9)
    assert pixel(encode(Image.new("RGB", (1, 1), RED), transparency=RED)) == (255, 255, 255)


@pytest.mark.parametrize(("value", "wanted"), [(0, 0), (32896, 128), (65535, 255)])
def test_sixteen_bit_grey_is_scaled_not_clipped(value, wanted):
    image = Image.fromarray(np.full((2, 2), value, np.uint16))
    assert pixel(encode(image)) == (wanted,) * 3
    assert pixel(encode(image, "TIFF")) == (wanted,) * 3


def test_float_tiff_is_scaled_and_nan_is_broken():
    assert pixel(encode(Image.fromarray(np.full((1, 1), 0.5, np.float32)), "TIFF")) == (128,) * 3
    assert pixel(encode(Image.fromarray(np.full((1, 1), 99.0, np.float32)), "TIFF")) == (99,) * 3
    with pytest.raises(BrokenImage, match="NaN"):
        decode(encode(Image.fromarray(np.full((1, 1), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.float32(300), "floating-point values from 300 to 300; wanted 0 to 1 or 0 to 255"),
        (np.float32(-0.5), "floating-point values from -0.5"),
        (np.int32(70_000), "32-bit values from 70000 to 70000; wanted 0 to 65535"),
        (np.int32(-1), "32-bit values from -1"),
    ],
)
def test_deep_grey_outside_known_ranges_is_broken_not_white_or_black(values, reason):
    with pytest.raises(BrokenImage, match=reason):
        decode(encode(Image.fromarray(np.full((2, 2), values)), "TIFF"))


@pytest.mark.parametrize(("value", "wanted"), [(0, 0), (200, 200), (257, 1), (65_535, 255)])
def test_whole_numbers_of_32_bits_are_grey_of_8_or_16(value, wanted):
    image = Image.fromarray(np.full((2, 2), value, np.int32))
    assert pixel(encode(image, "TIFF")) == (wanted,) * 3


def test_one_bit_and_grey_become_rgb():
    assert pixel(encode(Image.new("1", (1, 1), 1))) == (255, 255, 255)
    assert pixel(encode(Image.new("L", (1, 1), 77))) == (77, 77, 77)


def test_cmyk_jpeg_becomes_rgb():
    cyan = encode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG")
    np.testing.assert_allclose(pixel(cyan), (0, 255, 255), atol=6)


def test_exif_orientation_is_applied():
    image = Image.new("RGB", (4, 2), (0, 0, 0))
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: shown after a quarter turn clockwise
    upright = decode(encode(image, exif=exif))
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == (255, 255, 255)


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (4, 4), c) for c in (RED, (0, 0, 0))]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(content) == RED


def bomb():
    """A PNG header that promises 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello, world", "not an image that Pillow can read"),
        (b"<html>404</html>", "not an image"),
        (encode(Image.fromarray(NOISE), "JPEG")[:900], "truncated"),
        (encode(Image.fromarray(NOISE), "PNG")[:900], "truncated"),
        (bomb(), "too many pixels"),
    ],
)
def test_broken_images_have_a_reason_that_is_the_same_everywhere(content, reason):
    with pytest.raises(BrokenImage, match=reason) as first:
        decode(content)
    with pytest.raises(BrokenImage) as second:
        decode(bytes(content))
    assert str(first.value) == str(second.value)
    assert "0x" not in str(first.value) and "BytesIO" not in str(first.value)


def test_a_missing_file_is_a_broken_image(tmp_path):
    with pytest.raises(BrokenImage, match="no such file"):
        read_image(tmp_path / "x.png")


def reference(image, size, shorter):
    """torchvision's Resize and CenterCrop, the preprocessing of most published encoders."""
    from torchvision.transforms import CenterCrop, InterpolationMode, Resize

    resized = Resize(shorter, interpolation=InterpolationMode.BICUBIC)(image)
    return np.asarray(CenterCrop(size)(resized))


@pytest.mark.parametrize("shape", [(64, 64), (60, 80), (90, 50), (33, 31), (8, 100), (500, 375)])
@pytest.mark.parametrize(("size", "fraction"), [(32, 1.0), (28, 0.875)])
def test_resize_and_crop_are_those_of_torchvision(shape, size, fraction):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8))
    preprocessing = Preprocessing(size, crop_fraction=fraction)
    got = to_pixels(image, preprocessing)
    expected = reference(image, size, preprocessing.resize)
    assert got.shape == (size, size, 3)
    np.testing.assert_array_equal(got, expected)


def test_an_image_of_the_right_size_is_not_touched():
    image = Image.fromarray(NOISE)
    np.testing.assert_array_equal(to_pixels(image, Preprocessing(64)), NOISE)


def test_squash_keeps_the_whole_image():
    image = Image.fromarray(NOISE[:32])
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    got = to_pixels(image, Preprocessing(16, crop="squash", interpolation="bilinear"))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [(1, 30_000), (30_000, 1), (1, 1), (2, 3)])
def test_extreme_shapes_give_the_size_asked_for(shape):
    image = Image.new("RGB", shape, RED)
    got = to_pixels(image, Preprocessing(64))
    assert got.shape == (64, 64, 3)
    assert (got == RED).all()
