"""The cache: where it is, what it hands out, what it refuses. The package index is replaced by an archive made here."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from pathlib import Path

import pytest

import bianlian
from bianlian.errors import WeightsError
from bianlian.weights import CARDS, PackageFile, Url, WeightsCard, WheelMember, cache, cache_dir, find, locate, obtain

DATA = b"weights of a network " * 50
OTHER = b"other weights " * 40
WHEEL = WheelMember("nets", "1.0", "nets/a.bin")


def card(
    data: bytes = DATA, *sources: PackageFile | WheelMember | Url, name: str = "a", file: str = "a.bin", size: int | None = None
) -> WeightsCard:
    return WeightsCard(
        name=name,
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data) if size is None else size,
        licence="MIT",
        licence_url="https://opensource.org/license/mit",
        origin="a test",
        sources=sources or (WHEEL,),
        input="(1,)",
        normalisation="none",
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and no network."""
    monkeypatch.setenv("BIANLIAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BIANLIAN_OFFLINE", raising=False)
    monkeypatch.setattr(cache, "download", lambda *_: pytest.fail("the package index was asked"))
    monkeypatch.setattr(cache, "read_url", lambda *_: pytest.fail("an address was asked"))
    return tmp_path / "cache"


@pytest.fixture
def index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A package index with one wheel -> the names of what was downloaded."""
    asked: list[str] = []

    def download(wheel: WheelMember, into: Path) -> Path:
        asked.append(f"{wheel.project}=={wheel.version}")
        with zipfile.ZipFile(into / "nets.whl", "w") as archive:
            archive.writestr("nets/a.bin", DATA)
            archive.writestr("nets/b.bin", OTHER)
            archive.writestr("nets/__init__.py", "raise RuntimeError('this code must never run')")
        return into / "nets.whl"

    monkeypatch.setattr(cache, "download", download)
    return asked


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("BIANLIAN_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("BIANLIAN_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "bianlian"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "bianlian"


def test_a_missing_file_is_fetched_once_and_then_found(index: list[str], folder: Path) -> None:
    assert find(card())[1] == "missing"
    for _ in range(3):
        assert locate(card()) == folder / "a.bin"
    assert (folder / "a.bin").read_bytes() == DATA
    assert index == ["nets==1.0"]


def test_one_wheel_fills_every_card_it_holds(index: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = card(OTHER, WheelMember("nets", "1.0", "nets/b.bin"), name="b", file="b.bin")
    monkeypatch.setattr(cache, "CARDS", {"a": card(), "b": second})
    locate(card())
    assert locate(second) == folder / "b.bin"
    assert len(index) == 1


def test_only_the_named_members_reach_the_disk(index: list[str], folder: Path) -> None:
    locate(card())
    assert [p.name for p in folder.iterdir()] == ["a.bin"]


def test_an_altered_file_is_refused_and_the_way_out_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.bin").write_bytes(DATA[:-1] + b"x")
    assert find(card())[1] == "altered"
    with pytest.raises(WeightsError, match=r"was altered.*doctor --fetch"):
        locate(card())


def test_obtain_puts_the_right_file_in_place_of_an_altered_one(index: list[str], folder: Path) -> None:
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"half")
    assert obtain(card()).read_bytes() == DATA


def test_offline_never_asks_but_hands_out_what_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANLIAN_OFFLINE", "1")
    with pytest.raises(WeightsError, match="bianlian doctor --fetch"):
        locate(card())
    folder.mkdir()
    (folder / "a.bin").write_bytes(DATA)
    assert locate(card()) == folder / "a.bin"


def test_without_fetch_a_missing_file_is_an_error(folder: Path) -> None:
    with pytest.raises(WeightsError, match="not in the cache"):
        locate(card(), fetch=False)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (card(OTHER), "not the file its card describes"),
        (card(DATA, size=len(DATA) - 1), "not the file its card describes"),
        (card(DATA, WheelMember("nets", "1.0", "nets/absent.bin")), "absent.bin"),
        (card(DATA, WheelMember("nets", "1.0", "nets/a.bin", sha256="0" * 64)), "another sha256"),
        (card(DATA, PackageFile("data/absent.bin")), "install bianlian again"),
    ],
)
def test_what_is_not_the_file_is_never_stored(index: list[str], folder: Path, wanted: WeightsCard, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        locate(wanted)
    assert not folder.exists() or not list(folder.iterdir())


def test_the_next_source_is_tried_and_all_failures_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Path:
        raise WeightsError("the index is down")

    monkeypatch.setattr(cache, "download", fails)
    monkeypatch.setattr(cache, "read_url", lambda url, size: DATA)
    assert locate(card(DATA, WHEEL, Url("https://example.org/a.bin"))).read_bytes() == DATA
    (folder / "a.bin").unlink()
    monkeypatch.setattr(cache, "read_url", lambda url, size: OTHER)
    with pytest.raises(WeightsError, match=r"index is down.*not the file"):
        locate(card(DATA, WHEEL, Url("https://example.org/a.bin")))


def test_a_file_of_the_package_needs_no_cache_and_is_checked_too(folder: Path) -> None:
    shipped = Path(bianlian.__file__).parent / "py.typed"
    data = shipped.read_bytes()
    assert locate(card(data, PackageFile("py.typed"))) == shipped
    with pytest.raises(WeightsError, match="was altered"):
        locate(card(data + b"x", PackageFile("py.typed")))
    assert not folder.exists()


def test_two_at_once_leave_one_whole_file(index: list[str], folder: Path) -> None:
    threads = [threading.Thread(target=locate, args=(card(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [p.name for p in folder.iterdir()] == ["a.bin"]
    assert (folder / "a.bin").read_bytes() == DATA


def test_a_cache_that_cannot_be_written_is_told(index: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BIANLIAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"BIANLIAN_CACHE|cannot be"):
        locate(card())


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_the_cards_of_the_project_can_be_had(name: str) -> None:
    path = locate(CARDS[name])
    assert path.stat().st_size == CARDS[name].size
