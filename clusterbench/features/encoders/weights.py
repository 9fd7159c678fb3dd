"""Weights of encoders: local files, content hashes, and loading that leaves nothing random."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from ...doors import require_regular
from ...errors import InputError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_NESTED = ("state_dict_ema", "model_ema", "state_dict", "model", "teacher")
_HEADS = ("head.", "head_dist.", "classifier.", "fc.", "decoder", "mask_token", "pre_logits.")


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """Tensors of a .safetensors, .pth, .pt or .bin file; no code in the file is run.

    Unwraps `state_dict`, `model` or `teacher` and drops prefixes of wrappers (`module.`,
    `backbone.`). Raises InputError for a missing file, another kind of file, or no tensors.
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise InputError(f"no weight file at {path}")
    require_regular(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: weights end in {', '.join(SUFFIXES)}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable weight file ({_first_line(error)})") from error
    except Exception as error:  # safetensors' own error class is not public
        raise InputError(f"{path}: not a readable weight file ({_first_line(error)})") from error
    for key in _NESTED:
        nested = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(nested, Mapping):
            content = nested
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds {type(content).__name__}; wanted a state dict of tensors")
    tensors = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise InputError(f"{path}: holds no tensors; wanted a state dict")
    for prefix in ("module.", "backbone."):
        if all(key.startswith(prefix) for key in tensors if not key.startswith("head.")):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def load_strictly(
    module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], source: str
) -> None:
    """Load a state dict of which every parameter of the module must be found.

    Further tensors are allowed only for parts that encoders do without (classifier, decoder).
    Raises InputError with the first names that are missing, too many or of another shape.
    """
    own = module.state_dict()
    optional = {name for name in own if name.endswith("num_batches_tracked")}
    missing = sorted(own.keys() - tensors.keys() - optional)
    extra = sorted(n for n in tensors.keys() - own.keys() if not n.startswith(_HEADS))
    shapes = [
        f"{name} is {tuple(tensors[name].shape)}, wanted {tuple(own[name].shape)}"
        for name in own.keys() & tensors.keys()
        if tensors[name].shape != own[name].shape
    ]
    faults = [
        f"{len(found)} {kind} ({', '.join(sorted(found)[:3])}{', ...' if len(found) > 3 else ''})"
        for kind, found in (("missing", missing), ("unknown", extra), ("of another shape", shapes))
        if found
    ]
    if faults:
        raise InputError(
            f"{source} does not fit the model: of {len(own)} tensors, {'; '.join(faults)}; "
            "pass the weights of this very model"
        )
    module.load_state_dict({name: tensors[name] for name in own if name in tensors}, strict=False)


def hash_state(module: torch.nn.Module) -> str:
    """Hex SHA-256 over the state dict: sorted names, dtypes, shapes and little-endian bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Turn any failure of a download into one line that says to pass a local file."""
    loggers = [logging.getLogger(n) for n in ("huggingface_hub", "httpx", "timm", "open_clip")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    logging.disable(logging.ERROR)  # open_clip logs to the root logger
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"weights of {what} could not be downloaded ({type(error).__name__}: "
            f"{_first_line(error)}); pass a local copy with --weights FILE"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or ["no reason given"])[0]
    return text if len(text) <= 160 else text[:157] + "..."
