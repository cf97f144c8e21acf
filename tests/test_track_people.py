"""Linking by looks where place leaves a doubt, and people across shots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian.track import Linker, distance_to, join_shots, main_tracks, name_people
from bianlian.types import Face, Image, Landmarks, Track

BLANK: Image = np.zeros((4, 4, 3), np.uint8)
ANA, BEN = 0.0, 0.8
"""Who a face is, written into its score: its description is (score, 0), two people lie 0.8 apart."""


def face(x: float, who: float, y: float = 50.0, side: float = 20.0) -> Face:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    five = np.array([[-4.0, -4], [4, -4], [0, 0], [-3, 4], [3, 4]]) * side / 20 + [x, y]
    return Face(box, who, Landmarks(five, "five"))


class Looks:
    """A describer for ``Linker`` that counts its work."""

    def __init__(self) -> None:
        self.described = 0

    def __call__(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        self.described += len(faces)
        return np.array([[f.score, 0.0] for f in faces]).reshape(-1, 2)


def linked(shots: Sequence[Sequence[Face]], cuts: Sequence[int] = (), gap: int = 2, memory: int = 4, pace: int = 50) -> list[Track]:
    linker = Linker(gap=gap, memory=memory, pace=pace, describe=Looks())
    for k, faces in enumerate(shots):
        linker.add(k, faces, BLANK, cut=k in cuts)
    return linker.tracks()


def people(track: Track) -> set[float]:
    return {p.face.score for p in track.points if not p.filled}


def test_looks_tell_faces_apart_that_bounce_off_each_other() -> None:
    # They come together and go back where they came from: constant velocity alone would swap them.
    x = [20, 28, 36, 44, 44, 36, 28, 20]
    shots = [[face(a, ANA), face(100 - a, BEN)] for a in x]
    assert [people(t) for t in linked(shots)] == [{ANA}, {BEN}]
    blind = Linker(gap=2, memory=4)
    for k, faces in enumerate(shots):
        blind.add(k, faces)
    assert any(len(people(t)) == 2 for t in blind.tracks())


def test_another_face_in_the_place_of_a_lost_one_is_another_track() -> None:
    shots = [[face(50, ANA)]] * 6 + [[]] * 3 + [[face(50, BEN)]] * 6
    assert [people(t) for t in linked(shots, memory=10)] == [{ANA}, {BEN}]


def test_a_face_that_comes_back_elsewhere_continues_its_track() -> None:
    shots = [[face(20, ANA)]] * 6 + [[]] * 30 + [[face(150, ANA)]] * 6
    (track,) = linked(shots)
    assert [p.frame for p in track.points] == [*range(6), *range(36, 42)]


def test_a_jump_is_not_filled() -> None:
    shots = [[face(20, ANA)]] * 6 + [[]] + [[face(150, ANA)]] * 6
    (track,) = linked(shots)
    assert not any(p.filled for p in track.points)


def test_a_face_alone_is_described_seldom() -> None:
    looks = Looks()
    linker = Linker(gap=2, memory=4, pace=50, describe=looks)
    for k in range(200):
        linker.add(k, [face(50 + 0.1 * k, ANA)], BLANK)
    assert 3 <= looks.described <= 3 + 200 // 50


def test_people_keep_their_names_across_cuts() -> None:
    shots = [[face(20, ANA), face(80, BEN)]] * 5 + [[face(30, BEN)]] * 8 + [[face(60, ANA)]] * 2
    tracks = name_people(linked(shots, cuts=(5, 13)))
    assert [t.person for t in tracks] == ["person2", "person1", "person1", "person2"]
    assert [people(t) for t in main_tracks(tracks, (5, 13))] == [{BEN}, {BEN}]


def test_two_faces_of_one_frame_are_two_people() -> None:
    tracks = name_people(linked([[face(20, ANA), face(80, ANA)]] * 5))
    assert {t.person for t in tracks} == {"person1", "person2"}


def test_tracks_of_one_person_in_a_shot_are_joined() -> None:
    unsure = 0.4  # a face half hidden: not known again at once, but nearer to ana than the limit on average
    shots = [[face(20, ANA)]] * 6 + [[]] * 9 + [[face(150, 0.55)]] + [[face(150, unsure)]] * 60 + [[face(90, 1.0)]] * 5
    tracks = linked(shots, cuts=(76,), memory=3, pace=4)
    assert len(tracks) == 3
    joined = join_shots(name_people(tracks), (76,))
    assert [t.id for t in joined] == [0, 1]
    assert [len(t.points) for t in joined] == [67, 5]


def test_a_track_that_was_never_described_is_nobody() -> None:
    linker = Linker()
    linker.add(0, [face(20, ANA)])
    (track,) = name_people(linker.tracks())
    assert track.person is None
    assert distance_to(track, np.zeros(2)) is None
    assert main_tracks([track]) == [track]


def test_distance_to_a_person() -> None:
    (track,) = linked([[face(20, BEN)]] * 5)
    assert distance_to(track, np.array([0.0, 0.6])) == pytest.approx(1.0)
