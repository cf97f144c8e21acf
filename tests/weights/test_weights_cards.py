"""The table of weights files is whole: every card can be checked, fetched and credited."""

from __future__ import annotations

import dataclasses
import re

import pytest

from bianlian.weights import CARDS, PackageFile, SdistMember, Url, WeightsCard, WheelMember


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda c: c.name)
def test_every_card_says_what_it_is_and_under_which_terms(card: WeightsCard) -> None:
    assert CARDS[card.name] is card
    assert re.fullmatch(r"[0-9a-f]{64}", card.sha256)
    assert card.size > 0
    assert card.sources
    assert all([card.licence, card.origin, card.input, card.normalisation])
    assert card.licence_url.startswith("https://")
    assert "/" not in card.file


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda c: c.name)
def test_every_source_names_one_exact_file(card: WeightsCard) -> None:
    for source in card.sources:
        if isinstance(source, WheelMember):
            assert re.fullmatch(r"\d+(\.\d+)+", source.version)
            assert source.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        elif isinstance(source, SdistMember):
            assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        elif isinstance(source, Url):
            assert source.url.startswith("https://")
        else:
            assert isinstance(source, PackageFile)
            assert not source.path.startswith("/")


def test_files_in_the_cache_have_different_names() -> None:
    assert len({card.file for card in CARDS.values()}) == len(CARDS)


def test_cards_are_frozen() -> None:
    card = next(iter(CARDS.values()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.size = 1  # type: ignore[misc]
