"""Many faces are curated without their pictures, or their number, in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
from curate_fakes import drawn_face
from faceset_fakes import some_record

from bianlian import align
from bianlian.faceset.curate.curate import curate
from bianlian.faceset.curate.measure import Eyes
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.header import FACESET_COVERAGE, Header, write_header
from bianlian.faceset.record import to_line
from bianlian.faceset.store import Faceset
from bianlian.types import Landmarks

COUNT, SIDE = 250, 160


def test_memory_does_not_hold_the_pictures(tmp_path: Path) -> None:
    """250 crops of 160 pixels take 19 MB, decoded: opening them takes a tenth of it at most, curating them a quarter."""
    path = tmp_path / "anna"
    (path / "crops").mkdir(parents=True)
    write_header(path, Header("anna", SIDE))
    points = Landmarks(align.template("ibug68", SIDE, FACESET_COVERAGE).round(2), "ibug68")
    lines = []
    for k in range(COUNT):
        crop = cv2.resize(drawn_face(k), (SIDE, SIDE))
        assert cv2.imwrite(str(path / f"crops/{k:06d}.jpg"), crop)
        pose, name = (k % 50 - 25.0, k // 50 * 6.0 - 15, 0.0), f"crops/{k:06d}.jpg"
        lines.append(to_line(some_record(k, landmarks=points, crop=name, crop_from_frame=np.eye(2, 3), pose=pose)))
    (path / "faces.jsonl").write_text("\n".join(lines) + "\n")
    tracemalloc.start()
    try:
        faceset = Faceset.open(path)
        opened = tracemalloc.get_traced_memory()[1]
        result = curate(path, CurateSettings(count=100, blur=1, whole=0, off=("face", "person")), eyes=Eyes())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(faceset), result.faceset.kept_count) == (COUNT, 100)
    assert opened < 3 * SIDE**2 * COUNT / 10
    assert peak < 3 * SIDE**2 * COUNT / 4
