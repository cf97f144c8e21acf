"""People on disk, and what users write to name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bianlian.actors.bank import Bank
from bianlian.actors.renderer import Renderer
from bianlian.errors import InputError
from made_head import write_made_people


def test_people_come_back_as_they_were_written(bank: Bank) -> None:
    assert bank.names == ("ana", "ben", "cleo")
    head, ben = bank.head, bank.person("ben")
    np.testing.assert_allclose(ben.vertices, head.neutral + 1.5 * head.identity[0] - head.identity[1], atol=1e-5)
    assert ben.texture.shape == (768, 1152, 3)
    assert bank.person("ben") is ben
    assert bank.fitted("ben").scale == 10


def test_a_mix_is_between_its_parts(bank: Bank) -> None:
    ana, ben = bank.person("ana"), bank.person("ben")
    half, more = bank.find("ana+ben"), bank.find("ana*3+ben")
    np.testing.assert_allclose(half.vertices, (ana.vertices + ben.vertices) / 2, atol=1e-4)
    np.testing.assert_allclose(more.vertices, 0.75 * ana.vertices + 0.25 * ben.vertices, atol=1e-4)
    # the hair is the heavier one's, the face a mean
    hair = bank.head.atlas.hair_texels[..., 0] == 1
    np.testing.assert_array_equal(more.texture[hair], ana.texture[hair])
    face = bank.head.atlas.hair_texels[..., 0] == 0
    mean = 0.75 * ana.texture.astype(float) + 0.25 * ben.texture
    assert np.abs(more.texture - mean)[face].max() <= 1


def test_a_random_person_is_fixed_by_their_number(bank: Bank) -> None:
    one, same, other = (bank.find(f"random:{k}") for k in (5, 5, 6))
    assert np.array_equal(one.vertices, same.vertices)
    assert np.array_equal(one.texture, same.texture)
    assert not np.array_equal(one.vertices, other.vertices)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dora", "knows nobody called 'dora'; it has ana, ben, cleo"),
        ("ana+dora", "nobody called 'dora'"),
        ("ana*x+ben", "is no mix of people"),
        ("ana*-1+ben", "must be 0 or more"),
        ("ana*nan+ben", "must be 0 or more"),
        ("random:x", "is no random person"),
    ],
)
def test_unknown_people_are_told(bank: Bank, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        bank.find(text)


def test_what_holds_no_people_is_told(renderer: Renderer, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    with pytest.raises(InputError, match=r"does not exist; `bianlian actors fit PHOTOS -o .*` makes it"):
        Bank(path, renderer.head)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="holds no people"):
        Bank(path, renderer.head)
    write_made_people(path)
    with np.load(path) as data:
        columns = dict(data)
    for change, says in (({"offsets": np.zeros((3, 5, 3))}, "do not fit"), ({"camera_shift": np.zeros(3)}, "cameras")):
        np.savez(path, **{**columns, **change})
        with pytest.raises(InputError, match=says):
            Bank(path, renderer.head)
    np.savez(path, **{**columns, "jpeg": np.zeros(len(columns["jpeg"]), np.uint8)})
    with pytest.raises(InputError, match=r"the texture of ana in .* is damaged"):
        Bank(path, renderer.head).person("ana")


def test_one_person_alone_cannot_be_mixed(renderer: Renderer, tmp_path: Path) -> None:
    path = write_made_people(tmp_path / "p.npz", ("ana",))
    with pytest.raises(InputError, match="two or more"):
        Bank(path, renderer.head).find("random:1")
