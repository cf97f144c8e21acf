"""What an output says about itself in its metadata: XMP's DigitalSourceType, and the AIGC field of GB 45438-2025.

The field is JSON with seven keys; in XMP it is the property ``AIGC`` of the namespace that TC260 gives for it, in containers of
video a tag of that name. Label 1: this is generated or synthesised content.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow

from bianlian.errors import VideoError
from bianlian.video import PICTURE_SUFFIXES
from bianlian.video.container import open_video

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture of a camera into which a trained network has put something."""
PRODUCER = "bianlian"
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">
<xmp:CreatorTool>bianlian</xmp:CreatorTool>
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<TC260:AIGC>{aigc}</TC260:AIGC>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Metadata:
    """What was read back. produce_id: of the AIGC field; source_type: IPTC's, or None."""

    produce_id: str
    source_type: str | None = None


def aigc(produce_id: str) -> str:
    """Write the AIGC field as JSON."""
    values = {
        "Label": "1",
        "ContentProducer": PRODUCER,
        "ProduceID": produce_id,
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    return json.dumps(values, separators=(",", ":"))


def xmp(produce_id: str) -> bytes:
    """Write the XMP packet."""
    return _PACKET.format(source=SOURCE_TYPE, aigc=html.escape(aigc(produce_id))).encode()


def tags(produce_id: str) -> dict[str, str]:
    """Write the tags for a container of video."""
    return {"AIGC": aigc(produce_id), "DigitalSourceType": SOURCE_TYPE}


def append_xmp(path: Path, packet: bytes) -> None:
    """Add an XMP box to the end of an MP4 or MOV. Raises OSError."""
    with path.open("ab") as file:
        file.write((24 + len(packet)).to_bytes(4, "big") + b"uuid" + _XMP_BOX + packet)


def read_metadata(path: Path) -> Metadata | None:
    """Read what an output says about itself; None where it says nothing, or is not made by bianlian. Raises VideoError."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return _parsed(_packet_of(path))
    return _tagged(_tags_of(path))


def _tagged(found: Mapping[str, str]) -> Metadata | None:
    values = {key.lower(): value for key, value in found.items()}
    # An AVI has a comment and no names of one's own.
    for text in (values.get("aigc", ""), values.get("comment", "")):
        produce_id = _produce_id(text)
        if produce_id is not None:
            source = SOURCE_TYPE if SOURCE_TYPE in (values.get("digitalsourcetype", "") + text) else None
            return Metadata(produce_id, source)
    return None


def _parsed(packet: str) -> Metadata | None:
    """Read a packet as bianlian writes it; no parser of XML sees a stranger's file."""
    field = re.search(r"<TC260:AIGC>(.{1,4096}?)</TC260:AIGC>", packet, re.DOTALL)
    produce_id = None if field is None else _produce_id(html.unescape(field.group(1)))
    if produce_id is None:
        return None
    source = re.search(r"<Iptc4xmpExt:DigitalSourceType>([^<]{1,200})<", packet)
    return Metadata(produce_id, source.group(1) if source else None)


def _produce_id(text: str) -> str | None:
    found = re.search(r'"ContentProducer":"bianlian","ProduceID":"([0-9a-f]{1,64})"', text[:_LONGEST])
    return found.group(1) if found else None


def _packet_of(path: Path) -> str:
    try:
        with Pillow.open(path) as picture:
            info, tag = picture.info, 700
            raw = info.get("xmp") or info.get("XML:com.adobe.xmp") or getattr(picture, "tag_v2", {}).get(tag, b"")
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise VideoError(f"wanted a picture, {path} cannot be read ({error}): it is damaged or of another kind") from error
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return text[:_LONGEST]


def _tags_of(path: Path) -> dict[str, str]:
    with open_video(path) as file:
        return dict(file.metadata)
