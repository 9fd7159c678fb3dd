"""What a data set's folder says beside its features: `dataset.toml`, the class tree, the split."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

VAL_SHARE = 0.3
TREE = "tree.tsv"


@dataclass(frozen=True)
class Node:
    """A node of the class tree; a root has no parent."""

    id: str
    parent: str | None
    name: str


@dataclass(frozen=True)
class Declaration:
    """What `dataset.toml` says about a data set."""

    name: str
    description: str
    licence: str
    preset: str = "laptop"

    def toml(self, store: str, *, has_tree: bool) -> str:
        """The file's text.

        store: name of the encoder and of its features' folder; has_tree: `tree.tsv` is there too.
        """
        texts = ("name", "description", "licence")
        lines = [f"{key} = {_quoted(getattr(self, key))}" for key in texts]
        lines += [f"default_encoder = {_quoted(store)}", f"preset = {_quoted(self.preset)}"]
        if has_tree:
            lines.append(f"tree = {_quoted(TREE)}")
        return "\n".join([*lines, "", "[stores]", f"{store} = {_quoted(store)}"]) + "\n"


def n_val(n: int) -> int:
    """Images of a class of n >= 4 that go to the val split: 30 %, rounded, at least 2.

    Two, because scores of one image per class say nothing.
    """
    return max(2, int(VAL_SHARE * n + 0.5))


def val_ids(ids: list[str]) -> set[str]:
    """The val images of one class: those whose ids have the lowest SHA-256."""
    ranked = sorted(ids, key=lambda i: hashlib.sha256(i.encode()).digest())
    return set(ranked[: n_val(len(ids))])


def tree_text(nodes: list[Node]) -> str:
    """`tree.tsv`: one line per node, sorted by id; the parent of a root is empty."""
    lines = [f"{n.id}\t{n.parent or ''}\t{n.name}" for n in sorted(nodes, key=lambda n: n.id)]
    return "\n".join(["node\tparent\tname", *lines]) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
