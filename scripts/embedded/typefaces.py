"""The typefaces that draw CJK ideographs, and the Debian packages that they come in.

The first five are whole faces of different design. The further ones have another weight or
design, and some draw the 9,000 to 19,000 ideographs of one standard only. Left out are faces whose
drawings are those of another one in the list (Droid Sans Fallback is WenQuanYi Micro Hei, AR PL
KaitiM is AR PL UKai): such pairs would put one drawing into train and val.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .packages import Package, fetch, read_deb

_FOLDER = "/usr/share/fonts"


@dataclass(frozen=True)
class Typeface:
    """A face: `file` below /usr/share/fonts, `number` of the face in a collection."""

    name: str
    package: Package
    file: str
    number: int = 0

    @property
    def licence(self) -> str:
        """Of the package's fonts, as its file of copyrights says."""
        return _LICENCES[self.package.name]


def _deb(name: str, version: str, sha256: str) -> Package:
    return Package("deb", name, version, sha256)


_NOTO = _deb(
    "fonts-noto-cjk",
    "1:20220127+repack1-1",
    "4a2515eb6db3978b897fef9709ed0d2b1f4c6c4df4d83d6c4ef65f71f1b1f502",
)
_WENKAI = _deb(
    "fonts-lxgw-wenkai",
    "1.250+repack-1",
    "6d1e4c4aac78ad32062aefa2c836ee4d6e58f9dcf8b3f4407c9eefe304615318",
)
_TW_KAI = _deb(
    "fonts-cns11643-kai",
    "103.1+20181001-1",
    "c8c92e76357c0980b50d80d83674a5109a11624df83b9994c9118ad3aec31ece",
)
_ZENHEI = _deb(
    "fonts-wqy-zenhei",
    "0.9.45-8",
    "cfed2c29164ff2f133e40ed2046610b172b8618d174840936ac4ec9b6fd668e7",
)
_TW_SUNG = _deb(
    "fonts-cns11643-sung",
    "103.1+20181001-1",
    "e8a9410078063f38132b79df00196ca3108bcb90ab6bb0b00afd629eba1044c0",
)
_BABELSTONE = _deb(
    "fonts-babelstone-han",
    "15.0.5-2",
    "c7b7f9b5b78ad14c94d7e6d2b103307a7a643844c7db856fb97611d9d8a80589",
)
_HANAZONO = _deb(
    "fonts-hanazono",
    "20170904-2.1",
    "a6943366b4f5a6cec34221f8b4eb22555a628f0ee6ef4e3d3401cabe9363aeae",
)
_UMING = _deb(
    "fonts-arphic-uming",
    "0.2.20080216.2-11",
    "2676b21b90df94f23418610291b71b43720c95cdccb420b97ab56edfd3ce4cf5",
)
_UKAI = _deb(
    "fonts-arphic-ukai",
    "0.2.20080216.2-5",
    "b9db73184895b067f7911f9adbf3b137df99c2d4ec5425b4ad779a9834b7110b",
)
_IPAMJ = _deb(
    "fonts-ipamj-mincho",
    "005.01-2.1",
    "0dd4990be8d010f13921b1bcac2f9c684e007deae17282cd07dbbfd5b2cd08cb",
)
_MICROHEI = _deb(
    "fonts-wqy-microhei",
    "0.2.0-beta-3.1",
    "239163df984eea5c9da3b551aee374936222cdbd67f1a1be3cdcf3d76143ad66",
)
_SETO = _deb(
    "fonts-seto",
    "6.20-8",
    "1ce0b6124d635036d64462d7f0bece68d79608713a51d0664d4aa03da882fe2c",
)
_UME = _deb(
    "fonts-horai-umefont",
    "670-5",
    "1b1ed2bef53ff395439ce3999b8c28dc8b9bff9d4d0de31cc440a1f331b4a9b9",
)
_CWTEX = {
    name: _deb(f"fonts-cwtex-{name}", "1.0-4", sha256)
    for name, sha256 in (
        ("fs", "94b4ce9d2fd613e04bcf2e293011ca5099b43d8a8a97c090580fe25d31845850"),
        ("heib", "ead954743ecf0069bb8a381ac17f131a69e4ccce28db92a115ae8f13e9ada925"),
        ("kai", "7b0ac26332e88a2f4fd95af076e5a7776af4cf9578042017dafc0a59dbdb8bfc"),
        ("ming", "c6641f5d8d438d4bfa912e06204211b3d81fb167a586d09424922e0de42dac6e"),
        ("yen", "c400c0c11897adc5d5846833cda6698c2e71f005f0a29f4060cb7b2e0dde8c48"),
    )
}
_LICENCES = {
    "fonts-noto-cjk": "OFL-1.1",
    "fonts-lxgw-wenkai": "OFL-1.1",
    "fonts-cns11643-kai": "OGDL-TW-1.0",
    "fonts-cns11643-sung": "OGDL-TW-1.0",
    "fonts-wqy-zenhei": "GPL-2 with font exception",
    "fonts-babelstone-han": "Arphic Public License",
    "fonts-hanazono": "OFL-1.1",
    "fonts-arphic-uming": "Arphic Public License",
    "fonts-arphic-ukai": "Arphic Public License",
    "fonts-ipamj-mincho": "IPA-1",
    "fonts-wqy-microhei": "Apache-2.0",
    "fonts-seto": "OFL-1.1",
    "fonts-horai-umefont": "UmeFont",
    **{package.name: "GPL-2+" for package in _CWTEX.values()},
}
_SC = 2  # of Noto's collections: the simplified Chinese forms

FACES = (
    Typeface("noto-sans", _NOTO, "opentype/noto/NotoSansCJK-Regular.ttc", _SC),
    Typeface("noto-serif", _NOTO, "opentype/noto/NotoSerifCJK-Regular.ttc", _SC),
    Typeface("lxgw-wenkai", _WENKAI, "truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf"),
    Typeface("tw-kai", _TW_KAI, "truetype/cns11643/TW-Kai-98_1.ttf"),
    Typeface("wqy-zenhei", _ZENHEI, "truetype/wqy/wqy-zenhei.ttc"),
    Typeface("noto-sans-bold", _NOTO, "opentype/noto/NotoSansCJK-Bold.ttc", _SC),
    Typeface("noto-serif-bold", _NOTO, "opentype/noto/NotoSerifCJK-Bold.ttc", _SC),
    Typeface("lxgw-wenkai-light", _WENKAI, "truetype/lxgw-wenkai/LXGWWenKai-Light.ttf"),
    Typeface("lxgw-wenkai-bold", _WENKAI, "truetype/lxgw-wenkai/LXGWWenKai-Bold.ttf"),
    Typeface("tw-sung", _TW_SUNG, "truetype/cns11643/TW-Sung-98_1.ttf"),
    Typeface("babelstone-han", _BABELSTONE, "truetype/babelstone/BabelStoneHan.ttf"),
    Typeface("hanazono", _HANAZONO, "truetype/hanazono/HanaMinA.ttf"),
    Typeface("ar-pl-uming", _UMING, "truetype/arphic/uming.ttc"),
    Typeface("ar-pl-ukai", _UKAI, "truetype/arphic/ukai.ttc"),
    Typeface("ipamj-mincho", _IPAMJ, "truetype/ipamj/ipamjm.ttf"),
    Typeface("wqy-microhei", _MICROHEI, "truetype/wqy/wqy-microhei.ttc"),
    Typeface("seto", _SETO, "truetype/seto/setofont.ttf"),
    Typeface("cwtex-fangsong", _CWTEX["fs"], "truetype/cwtex/cwfs.ttf"),
    Typeface("cwtex-heibold", _CWTEX["heib"], "truetype/cwtex/cwheib.ttf"),
    Typeface("cwtex-kai", _CWTEX["kai"], "truetype/cwtex/cwkai.ttf"),
    Typeface("cwtex-ming", _CWTEX["ming"], "truetype/cwtex/cwming.ttf"),
    Typeface("cwtex-yen", _CWTEX["yen"], "truetype/cwtex/cwyen.ttf"),
    Typeface("ume-gothic", _UME, "truetype/horai-umefont/ume-tgo4.ttf"),
    Typeface("ume-mincho", _UME, "truetype/horai-umefont/ume-tmo3.ttf"),
)


def unpack(faces: tuple[Typeface, ...], downloads: Path, folder: Path) -> list[Path]:
    """Write the faces' font files into `folder`, one after the other; the file of each face."""
    wanted: dict[Package, set[str]] = {}
    for face in faces:
        wanted.setdefault(face.package, set()).add(f"{_FOLDER}/{face.file}")
    folder.mkdir(parents=True, exist_ok=True)
    for package, files in wanted.items():
        for name, content in read_deb(fetch(package, downloads), files).items():
            (folder / Path(name).name).write_bytes(content)
    return [folder / Path(face.file).name for face in faces]
