"""The table of weights files: what each is, what its network takes, under which terms it comes and from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bianlian.weights.sources import PackageFile, SdistMember, Source, Url, WheelMember


@dataclass(frozen=True)
class WeightsCard:
    """What one weights file is.

    name: key in CARDS. file: its name in the cache. sha256, size: of the file, hex and bytes. licence: its short name (SPDX).
    licence_url: where the terms stand. origin: who made it. sources: tried in order. input: what the network takes (shape, layout,
    colour order). normalisation: how pixel values 0..255 become input values.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    licence_url: str
    origin: str
    sources: tuple[Source, ...]
    input: str
    normalisation: str


def _mediapipe(name: str, member: str, sha256: str, size: int, input: str, normalisation: str) -> WeightsCard:
    wheel = WheelMember(
        project="mediapipe",
        version="0.10.21",
        member=f"mediapipe/modules/{member}",
        platform="manylinux_2_28_x86_64",
        sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    )
    return WeightsCard(
        name=name,
        file=member.rpartition("/")[2],
        sha256=sha256,
        size=size,
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        origin="Google MediaPipe",
        sources=(wheel,),
        input=input,
        normalisation=normalisation,
    )


def _mtcnn(net: str, sha256: str, size: int, side: int) -> WeightsCard:
    wheel = WheelMember(
        project="mtcnn",
        version="1.0.0",
        member=f"mtcnn/assets/weights/{net}.lz4",
        sha256="0a96b4868e56db9ae984449519642be6dba03240e608a67e928ebb47833e9144",
    )
    return WeightsCard(
        name=f"mtcnn_{net}",
        file=f"mtcnn_{net}.lz4",
        sha256=sha256,
        size=size,
        licence="MIT",
        licence_url="https://opensource.org/license/mit",
        origin="Iván de Paz Centeno's mtcnn, after Zhang et al. 2016",
        sources=(wheel,),
        input=f"({side}, {side}, 3) RGB",
        normalisation="(v - 127.5) / 128",
    )


_VIRTUAL = "this project, trained on rendered virtual people (credits in NOTICE)"


def _own(name: str, member: str, sha256: str, size: int, input: str, origin: str = _VIRTUAL) -> WeightsCard:
    return WeightsCard(
        name=name,
        file=member.rpartition("/")[2],
        sha256=sha256,
        size=size,
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        origin=origin,
        sources=(PackageFile(member),),
        input=input,
        normalisation="v / 255",
    )


_CARDS = (
    _own(
        "base-light-128",
        "data/base/deepfake-light-128.safetensors",
        "b3de05edca45d2642a671efa29fd3e2e43b66362e00457c328399ce407d0f5eb",
        15_451_922,
        "(N, 3, 128, 128) RGB",
    ),
    _own(
        "refiner",
        "data/base/refiner.safetensors",
        "d98a2c62f78ae9cfb9d18f24f758137aec7dd2c21d504e6c000566275116166d",
        3_577_670,
        "(N, 3, S, S) RGB twice: the drawn face, the face under it",
    ),
    _own(
        "oneshot-128",
        "data/base/oneshot-128.safetensors",
        "ffca0279ce2f8282d16ea075169a7d72317d6cab8d4d015b2044689fe3a77cd9",
        12_882_160,
        "(N, 3, 128, 128) RGB three times: target, draft, photo laid over the target; (N, 256): who goes in",
    ),
    _own(
        "mask",
        "data/mask/mask.safetensors",
        "066805c0773f90d4c96f72aeee1fe42f15603bae2448f5912e793e228adb1ade",
        2_148_880,
        "(N, 3, 128, 128) RGB",
        origin="this project, trained on rendered virtual people and photos of the same set (credits in NOTICE)",
    ),
    _mediapipe(
        "blazeface_short",
        "face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        229_714,
        "(1, 128, 128, 3) RGB",
        "v / 127.5 - 1",
    ),
    _mediapipe(
        "blazeface_full",
        "face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        676_746,
        "(1, 192, 192, 3) RGB",
        "v / 127.5 - 1",
    ),
    _mediapipe(
        "facemesh",
        "face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        1_242_398,
        "(1, 192, 192, 3) RGB",
        "v / 255",
    ),
    _mediapipe(
        "iris",
        "iris_landmark/iris_landmark.tflite",
        "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
        2_640_568,
        "(1, 64, 64, 3) RGB",
        "v / 255",
    ),
    WeightsCard(
        name="dlib_descriptor",
        file="dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        size=22_466_066,
        licence="CC0-1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        origin="Davis King's dlib-models",
        sources=(
            SdistMember(
                project="face_recognition_models",
                version="0.3.0",
                member="face_recognition_models-0.3.0/face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
                sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
            ),
        ),
        input="(N, 150, 150, 3) RGB",
        normalisation="inside the network",
    ),
    WeightsCard(
        name="dlib_mmod",
        file="mmod_human_face_detector.dat",
        sha256="4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        size=729_940,
        licence="CC0-1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        origin="Davis King's dlib-models",
        sources=(
            SdistMember(
                project="face_recognition_models",
                version="0.3.0",
                member="face_recognition_models-0.3.0/face_recognition_models/models/mmod_human_face_detector.dat",
                sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
            ),
        ),
        input="(H, W, 3) RGB",
        normalisation="inside the network",
    ),
    _mtcnn("pnet", "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5", 27_119, 12),
    _mtcnn("rnet", "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee", 401_659, 24),
    _mtcnn("onet", "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3", 1_557_637, 48),
)

CARDS: Mapping[str, WeightsCard] = MappingProxyType({card.name: card for card in _CARDS})
"""Every weights file the project knows, by name."""

EXTRA_CARDS: Mapping[str, WeightsCard] = MappingProxyType(
    {
        "dlib_68": WeightsCard(
            name="dlib_68",
            file="shape_predictor_68_face_landmarks.dat",
            sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            size=99_693_937,
            licence="non-commercial research only (trained on iBUG 300-W)",
            licence_url="https://ibug.doc.ic.ac.uk/resources/300-W/",
            origin="Davis King's dlib-models",
            sources=(
                SdistMember(
                    project="face_recognition_models",
                    version="0.3.0",
                    member="face_recognition_models-0.3.0/face_recognition_models/models/shape_predictor_68_face_landmarks.dat",
                    sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
                ),
            ),
            input="(H, W, 3) RGB and a box",
            normalisation="inside the trees",
        ),
        "fan_68": WeightsCard(
            name="fan_68",
            file="2DFAN4-11f355bf06.pth.tar",
            sha256="11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
            size=95_641_761,
            licence="non-commercial research only (trained on 300-W-LP)",
            licence_url="https://www.adrianbulat.com/face-alignment",
            origin="Adrian Bulat's face-alignment",
            sources=(Url("https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar"),),
            input="(N, 3, 256, 256) RGB",
            normalisation="v / 255",
        ),
    }
)
"""Weights under other terms, of landmarkers that are never the default. They are fetched when a user asks for what needs them, and
neither by `bianlian doctor --fetch` nor along with others."""
