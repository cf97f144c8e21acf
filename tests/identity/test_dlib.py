"""dlib's network, run without dlib, gives dlib's numbers; its weights file is read with care."""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np
import pytest
import torch

from bianlian.errors import WeightsError
from bianlian.identity._dlib_resnet import load_dlib_resnet
from bianlian.identity.dlib import SIDE
from bianlian.types import Frame
from bianlian.weights import CARDS, locate

pytestmark = pytest.mark.weights


def test_the_numbers_are_those_of_dlib(demo_frames: list[Frame]) -> None:
    path = locate(CARDS["dlib_descriptor"])
    chips = [np.ascontiguousarray(f.image[100 : 100 + 2 * SIDE : 2, 100 : 100 + 2 * SIDE : 2]) for f in demo_frames]
    theirs = np.array(dlib.face_recognition_model_v1(str(path)).compute_face_descriptor(chips))
    pictures = torch.from_numpy(np.stack(chips)).permute(0, 3, 1, 2).float() / 255
    np.testing.assert_allclose(load_dlib_resnet(path)(pictures).numpy(), theirs, atol=1e-4)
    assert np.ptp(theirs, axis=0).max() > 0.01


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    whole = locate(CARDS["dlib_descriptor"]).read_bytes()
    cut = tmp_path / "cut.dat"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(WeightsError, match="is not dlib's face recognition network"):
        load_dlib_resnet(cut)
