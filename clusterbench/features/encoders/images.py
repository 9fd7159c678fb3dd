"""Image files to the pixels an encoder is given: decoding, resizing, cropping.

A change here that changes pixels raises `encoder.PIXELS_VERSION`.
"""

from __future__ import annotations

import io
import math
import re
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ...limits import IMAGE
from ...sources.image_files import image_formats, read_image, too_large
from ...sources.source import BrokenImage
from .recipe import Preprocessing

__all__ = ["MAX_PIXELS", "BrokenImage", "decode", "read_image", "to_pixels"]

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
MAX_PIXELS = 2 * 89_478_485  # Pillow's limit against decompression bombs
_PANORAMA = 16  # longer than this many times the shorter side: only the middle is resized


def decode(content: bytes, draft: int = 0) -> Image.Image:
    """An image file's bytes to an upright RGB image.

    Transparent parts lie on white, deep grey is scaled to 8 bits (see `_deep_grey`), palettes,
    CMYK and grey become RGB, the EXIF orientation is applied, of an animation the first frame is
    taken. With `draft` a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side
    keeps `draft` pixels: faster, and close to the pixels of a full decoding, not equal. Raises
    BrokenImage for anything that is not a whole image.
    """
    if not content:
        raise BrokenImage("empty file")
    if len(content) > IMAGE.largest:
        raise BrokenImage(too_large(len(content)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bomb warnings below the limit, odd EXIF blocks
            image = Image.open(io.BytesIO(content), formats=image_formats())
            if image.width * image.height > MAX_PIXELS:
                raise BrokenImage(f"{image.width} x {image.height} pixels: too many to decode")
            if draft:
                # Pillow keeps each side at least as long as asked for.
                scale = draft / min(image.size)
                image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except BrokenImage:
        raise
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise BrokenImage("not an image that Pillow can read") from error
    except Image.DecompressionBombError as error:
        raise BrokenImage("decompression bomb: too many pixels to decode") from error
    except Exception as error:  # decoders raise whatever their format runs into
        text = re.sub(r"<[^>]*>|0x[0-9a-fA-F]+", "", str(error)).strip()
        name = type(error).__name__
        raise BrokenImage(f"{name}: {text}" if text else name) from error


def to_pixels(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """(size, size, 3) uint8 of an RGB image, resized and cropped as the recipe says."""
    size, resample = preprocessing.size, _RESAMPLING[preprocessing.interpolation]
    if preprocessing.crop == "squash":
        resized = image.resize((size, size), resample)
        return np.asarray(resized)
    shorter = preprocessing.resize
    if max(image.size) > _PANORAMA * min(image.size):
        image = _middle(image)
    width, height = image.size
    # Whole pixels as in torchvision's Resize and CenterCrop, so that features can be compared.
    longer = int(shorter * max(width, height) / min(width, height))
    target = (shorter, longer) if width <= height else (longer, shorter)
    resized = image if target == image.size else image.resize(target, resample)
    left, top = round((target[0] - size) / 2), round((target[1] - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def _middle(image: Image.Image) -> Image.Image:
    """The middle of a panorama: enlarging all of a 1 x 30,000 image would fill the memory."""
    width, height = image.size
    keep = _PANORAMA * min(image.size)
    if width > height:
        left = (width - keep) // 2
        return image.crop((left, 0, left + keep, height))
    top = (height - keep) // 2
    return image.crop((0, top, width, top + keep))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        ground.alpha_composite(rgba)
        return ground.convert("RGB")
    return image.convert("RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits as RGB.

    Floating point is 0 to 1, or 0 to 255; whole numbers are 0 to 65,535, of which 32-bit ones up
    to 255 are grey of 8 bits. Raises BrokenImage for any other range: it would be clipped to white
    or black, and nothing says how it is meant.
    """
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise BrokenImage("holds NaN or infinity")
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if image.mode == "F":
        if not 0 <= low <= high <= 255:
            raise BrokenImage(
                f"floating-point values from {low:g} to {high:g}; wanted 0 to 1 or 0 to 255"
            )
        values = values * 255 if high <= 1 else values
    else:
        if not 0 <= low <= high <= 65_535:
            raise BrokenImage(f"32-bit values from {low:g} to {high:g}; wanted 0 to 65535")
        if image.mode.startswith("I;16") or high > 255:
            values = values / 257  # 65,535 -> 255
    return Image.fromarray(np.rint(values).astype(np.uint8), "L").convert("RGB")
