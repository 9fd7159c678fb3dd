"""Small images of samples, found by id in a folder, as they stand in a page."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..datasets import registry
from ..errors import InputError
from ..printable import shown
from ..sources.dataset_index import DatasetIndex
from ..sources.image_files import image_formats, image_suffixes, read_image
from ..sources.source import BrokenImage
from .analysis import SectionAnalysis, TaskDetail
from .cluster_facts import ClusterContent
from .content.detail_parts import content_text
from .content.parts import ImageRow, ImageRows, Thumbnail
from .content.phrases import many

#: Pixels of the longer side as shown; bytes of an image in the page, above which it is left out.
SIDE, LARGEST = 56, 6_000
#: Clusters of each kind in a gallery.
CLUSTERS = 4

#: Folders that may stand between the given one and the classes.
_TOPS = ("", "train", "val")


@dataclass
class ThumbnailFolder:
    """A folder of images `<class>/<file>.<suffix>`, perhaps below `train` and `val`.

    Raises InputError for a folder that is none.
    """

    folder: Path
    found: int = 0
    _suffixes: list[str] = field(default_factory=list)
    _indices: dict[str, DatasetIndex | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise InputError(
                f"{self.folder}: no such folder of images; wanted <class>/<file>, as sample ids "
                "name them"
            )
        common = [".png", ".jpg", ".jpeg", ".webp"]
        self._suffixes = common + sorted(image_suffixes() - set(common))

    def gallery(self, found: SectionAnalysis, detail: TaskDetail, n: int) -> ImageRows | None:
        """n images of the largest and the most mixed clusters; None where none is there."""
        index = self._index(found.section.dataset)
        if index is None or detail.task.task is None or index.hash != detail.task.task.index_hash:
            return None
        rows: list[ImageRow] = []
        seen: set[int] = set()
        for kind, contents in (("largest", detail.sizes.largest), ("mixed", detail.sizes.mixed)):
            for content in contents[:CLUSTERS]:
                if content.cluster not in seen:
                    seen.add(content.cluster)
                    rows += self._row(index, detail, content, kind, n)
        if not rows:
            return None
        return ImageRows(tuple(rows), _licence(found.section.dataset))

    def _row(
        self, index: DatasetIndex, detail: TaskDetail, content: ClusterContent, kind: str, n: int
    ) -> list[ImageRow]:
        run = detail.run
        assert run.clusters is not None
        members = np.flatnonzero(run.clusters == content.cluster)
        # Rows are in the order of the classes, so these show a cluster's mixture.
        picked = members[np.unique(np.linspace(0, len(members) - 1, n).round().astype(int))]
        images = []
        for member in picked.tolist():
            identifier = index.id(int(run.rows[member]))
            word = detail.words[int(run.targets[member])]
            if (image := self.thumbnail(identifier, f"{word}: {identifier}")) is not None:
                images.append(image)
        if not images:
            return []
        paired = None if content.paired is None else detail.words[content.paired]
        size = f"{kind}, {many(content.size, 'image')}: {content_text(content, detail.words)}"
        return [ImageRow(paired or "stands for no class", size, tuple(images))]

    def thumbnail(self, identifier: str, words: str) -> Thumbnail | None:
        """The image of a sample id; None where it is not there or is none."""
        for top in _TOPS:
            for number, suffix in enumerate(self._suffixes):
                path = self.folder / top / f"{identifier}{suffix}"
                try:
                    if not path.is_file():
                        continue
                    image = small_image(read_image(path), words)
                except (BrokenImage, OSError):
                    continue
                self._suffixes.insert(0, self._suffixes.pop(number))  # the next is like it
                self.found += image is not None
                return image
        return None

    def _index(self, dataset: str) -> DatasetIndex | None:
        if dataset not in self._indices:
            try:
                self._indices[dataset] = registry.load(dataset).index
            except Exception:  # images are a help, no condition
                self._indices[dataset] = None
        return self._indices[dataset]


def small_image(content: bytes, words: str) -> Thumbnail | None:
    """An image file as a thumbnail on white, PNG or WebP, whichever is smaller; None for none."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=image_formats()) as image:
                image.draft("RGB", (2 * SIDE, 2 * SIDE))
                image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
                clear = image.convert("RGBA")
    except Exception:  # whatever a damaged image makes the decoder do
        return None
    flat = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    forms = {
        "png": _encoded(flat.quantize(32), "PNG", optimize=True),
        "webp": _encoded(flat, "WEBP", quality=70, method=6),
    }
    form = min(forms, key=lambda name: (len(forms[name]), name))
    if len(forms[form]) > LARGEST:
        return None
    data = base64.b64encode(forms[form]).decode()
    return Thumbnail(f"data:image/{form};base64,{data}", shown(words), *flat.size)


def _encoded(image: object, form: str, **settings: object) -> bytes:
    from PIL import Image

    assert isinstance(image, Image.Image)
    file = io.BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def _licence(dataset: str) -> str:
    try:
        licence = registry.load(dataset).licence
    except Exception:
        licence = ""
    return f"Images of {dataset}: {licence}" if licence else f"Images of {dataset}"
