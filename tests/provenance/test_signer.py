"""Who signs: made on first use, kept private, or a studio's own."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bianlian.errors import ConfigError
from bianlian.provenance import signer
from bianlian.provenance.manifest import Claim, check_identity, read_manifest, sign
from bianlian.provenance.signer import CHAIN, KEY, data_dir, local_authority, local_identity, open_identity


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIANLIAN_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "signing"


def test_the_folder_is_chosen_as_the_system_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BIANLIAN_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("BIANLIAN_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert data_dir() == tmp_path / "xdg" / "bianlian"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_dir() == Path.home() / ".local" / "share" / "bianlian"


def test_an_identity_is_made_once_and_kept_private(home: Path) -> None:
    assert local_authority() == b""
    first = local_identity()
    assert stat.S_IMODE((home / KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert local_identity() == first
    assert local_authority() == (home / CHAIN).read_bytes()
    assert sorted(p.name for p in home.parent.iterdir()) == ["signing"]
    assert first.key.decode().splitlines()[1] not in repr(first)


def test_a_key_that_others_may_read_is_refused(home: Path) -> None:
    local_identity()
    (home / KEY).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        local_identity()


def test_an_identity_that_another_process_made_meanwhile_stays(home: Path) -> None:
    theirs = local_identity()
    signer._make(home)
    assert local_identity() == theirs
    assert [p.name for p in home.parent.iterdir()] == ["signing"]


def test_a_studio_signs_with_its_own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = local_identity()
    studio = tmp_path / "studio"
    monkeypatch.setenv("BIANLIAN_DATA", str(studio))
    theirs = local_identity()
    monkeypatch.setenv("BIANLIAN_DATA", str(home.parent))
    assert theirs.chain != mine.chain
    opened = open_identity(studio / "signing" / CHAIN, studio / "signing" / KEY)
    assert (opened.algorithm, opened.chain) == ("es256", theirs.chain)
    file = tmp_path / "a.bin"
    file.write_bytes(b"anything")
    sign(file, Claim("a.bin", None, {"id": "1"}, b"{}"), opened, tmp_path / "a.c2pa")
    found = read_manifest(file, tmp_path / "a.c2pa")
    assert found is not None
    assert (found.state, found.facts["id"]) == ("Valid", "1")
    file.write_bytes(b"anythinG")
    found = read_manifest(file, tmp_path / "a.c2pa")
    assert found is not None
    assert (found.state, found.whole) == ("Invalid", False)
    assert any("mismatch" in failure for failure in found.failures)


def test_a_certificate_that_c2pa_does_not_take_is_refused_before_the_work(home: Path) -> None:
    mine = local_identity()
    check_identity(mine)
    certificates = mine.chain.split(b"-----END CERTIFICATE-----\n")
    authority = certificates[1] + b"-----END CERTIFICATE-----\n"  # vouches for others and may sign nothing itself
    with pytest.raises(ConfigError, match="C2PA cannot sign"):
        check_identity(replace(mine, chain=authority))


@pytest.mark.parametrize("broken", ["no chain", "no key", "swapped", "other key", "garbage"])
def test_what_does_not_fit_is_said_in_one_line(home: Path, tmp_path: Path, broken: str) -> None:
    local_identity()
    chain, key = home / CHAIN, home / KEY
    if broken == "no chain":
        chain = tmp_path / "none.pem"
    elif broken == "no key":
        key = tmp_path / "none.pem"
    elif broken == "swapped":
        chain, key = key, chain
    elif broken == "garbage":
        chain.write_bytes(b"\x00\xff" * 50)
    else:
        other = ec.generate_private_key(ec.SECP256R1())
        pem = serialization.Encoding.PEM
        key.write_bytes(other.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    with pytest.raises(ConfigError) as caught:
        open_identity(chain, key)
    assert "\n" not in str(caught.value)
