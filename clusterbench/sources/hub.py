"""Data sets of the Hugging Face hub as local folders of tables."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError

PREFIX = "hf:"
_NAME = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_PATTERNS = ["*.parquet", "*.arrow"]


def download(location: str) -> tuple[Path, str]:
    """(folder, location with the commit) of `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`.

    Fetches the tables that are not in the hub's cache yet (`HF_HOME`, `HF_HUB_CACHE`); without a
    network, or with HF_HUB_OFFLINE=1, what is in the cache is used. Raises InputError for another
    form of name, and when there is neither a network nor a copy in the cache.
    """
    match = _NAME.fullmatch(location)
    if match is None:
        raise InputError(f"source {location!r}: wanted hf:OWNER/NAME or hf:OWNER/NAME@REVISION")
    name, revision = match.groups()
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(f"source {location}: install huggingface_hub to read it") from error
    folder = ""
    reason: Exception | None = None
    for local in (False, True):
        try:
            folder = snapshot_download(
                name,
                repo_type="dataset",
                revision=revision,
                allow_patterns=_PATTERNS,
                local_files_only=local,
            )
            break
        except Exception as error:  # of the hub, its client, or the client's transport
            reason = reason or error
    if not folder:
        kind, text = type(reason).__name__, " ".join(str(reason).split())
        raise InputError(
            f"source {location}: cannot be fetched and is not in the hub's cache ({kind}: "
            f"{text[:200]}); check the name and the network, log in if it is gated, or give a "
            "folder with its Parquet files"
        ) from reason
    return Path(folder), f"{PREFIX}{name}@{Path(folder).name}"
