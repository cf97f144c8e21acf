"""Write ``docs/licences.md``: under which terms everything comes that bianlian needs, ships or fetches (``make licences``)."""

from __future__ import annotations

from dependencies import ROOT, default_set

from bianlian.weights import CARDS, EXTRA_CARDS, PackageFile, SdistMember, Url, WeightsCard, WheelMember

OUT = ROOT / "docs" / "licences.md"
CARRIED = {
    "av": "the wheel carries FFmpeg with x264 and x265 (GPL-2.0-or-later): who passes it on keeps to their terms",
    "opencv-python-headless": "the wheel carries FFmpeg (LGPL-2.1-or-later) and OpenBLAS (BSD-3-Clause)",
    "dlib-bin": "the wheel carries dlib (BSL-1.0)",
}
"""What wheels hold beside their own code, where its terms are others."""


def table() -> str:
    """Write the page."""
    return "\n".join([_HEAD, *_packages(), _WEIGHTS, *_weights(), _REST])


def _packages() -> list[str]:
    return [f"| [{p.name}]({p.home}) | {p.licence} | {CARRIED.get(p.name, '')} |" for p in default_set().values()]


def _weights() -> list[str]:
    rows = []
    for card in (*CARDS.values(), *EXTRA_CARDS.values()):
        used, licence = "yes" if card.name in CARDS else "no, only when asked for", f"[{card.licence}]({card.licence_url})"
        rows.append(f"| {card.name} | {card.origin} | {licence} | {_where(card)} | {used} | `{card.sha256[:16]}` |")
    return rows


def _where(card: WeightsCard) -> str:
    source = card.sources[0]
    match source:
        case PackageFile():
            return "ships in the package"
        case WheelMember() | SdistMember():
            return f"fetched out of {source.project} {source.version}"
        case Url():
            return "fetched from its author's address"


_HEAD = """# Licences

Made by `make licences`; `tests/test_supply.py` checks that nothing is missing. bianlian itself is under [Apache-2.0](../LICENSE),
the makers of the data in it are named in [NOTICE](../NOTICE).

## Packages of the default set

| Package | Licence | Beside its own code |
|---|---|---|"""
_WEIGHTS = """
## Weights

| Weights | From | Licence | Where | By default | sha256 begins |
|---|---|---|---|---|---|"""
_REST = """
torch's GPU build, where pip installs that, brings NVIDIA's libraries under their maker's terms; they are not in the table.
Weights that are not used by default come under non-commercial terms, which are shown each time they are loaded.
The data of the demo clips and of what the shipped weights were trained on: CC BY 4.0, MIT and CC0, see NOTICE.
"""

if __name__ == "__main__":
    OUT.write_text(table(), encoding="utf-8")
    print(f"{OUT}: {len(default_set())} packages, {len(CARDS) + len(EXTRA_CARDS)} weights")
