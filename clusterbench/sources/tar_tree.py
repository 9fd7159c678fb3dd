"""The folders within tars, as far as a layout needs to know them."""

from __future__ import annotations

from .folder_layout import ImageTree, may_hold_images


class TarTree(ImageTree):
    """Folders and images of members that are added one by one.

    The names of images are kept for folders that are splits or mere folders of images; of any
    other, such as a class's, the first and the number.
    """

    def __init__(self) -> None:
        self._folders: dict[str, set[str]] = {"": set()}
        self._images: dict[str, list[str]] = {}
        self._more: dict[str, int] = {}
        self._annotations: dict[str, str] = {}

    def add_image(self, member: str) -> None:
        """Add an image by its path, which has a folder."""
        folder, _, name = member.rpartition("/")
        if folder in self._more:
            self._more[folder] += 1
            return
        if folder in self._images:
            self._images[folder].append(name)
            return
        self._images[folder] = [name]
        if not may_hold_images(folder.rpartition("/")[2]):
            self._more[folder] = 0
        while folder:
            above, _, last = folder.rpartition("/")
            self._folders.setdefault(folder, set())
            inside = self._folders.setdefault(above, set())
            if last in inside:
                return
            inside.add(last)
            folder = above

    def add_annotations(self, folder: str, text: str) -> None:
        """Add the list of classes that lies in a folder."""
        self._annotations[folder] = text

    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder, sorted."""
        return sorted(self._folders.get(path, ()))

    def images(self, path: str) -> list[str]:
        """Names of the images directly in a folder, sorted."""
        names = self._images.get(path, [])
        return sorted(names) + names[:1] * self._more.get(path, 0)

    def holds_images(self, path: str) -> bool:
        """Whether an image lies in a folder or below it."""
        return path in self._folders and (path in self._images or bool(self._folders[path]))

    def annotations(self, path: str) -> str | None:
        """The text of the list of classes in a folder; None where there is none."""
        return self._annotations.get(path)
