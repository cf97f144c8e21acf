"""Name -> object: one table a kind, lazy ``module:attribute`` strings; outsiders add theirs by entry points.

A plug-in is one file and one line here. Another package adds one with an entry point in the group ``bianlian.<kind>``,
for example ``[project.entry-points."bianlian.detector"] mine = "mypackage.detector:Mine"``. The project's own names win.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from bianlian.errors import PluginError

TABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "detector": MappingProxyType(
            {
                "duo": "bianlian.detect.duo:Duo",
                "blazeface": "bianlian.detect.blazeface:BlazeFace",
                "mtcnn": "bianlian.detect.mtcnn:Mtcnn",
                "hog": "bianlian.detect.hog:Hog",
                "mmod": "bianlian.detect.mmod:Mmod",
            }
        ),
        "landmarker": MappingProxyType(
            {
                "facemesh": "bianlian.landmark.facemesh:FaceMesh",
                "facemesh478": "bianlian.landmark.facemesh478:FaceMesh478",
                "dlib68": "bianlian.landmark.dlib68:Dlib68",
                "fan68": "bianlian.landmark.fan68:Fan68",
                "five": "bianlian.landmark.five:FivePoints",
            }
        ),
        "describer": MappingProxyType({"dlib": "bianlian.identity.dlib:DlibDescriptor"}),
        "mask": MappingProxyType(
            {
                "hull": "bianlian.mask.regions:Hull",
                "face": "bianlian.mask.regions:WholeFace",
                "eyes": "bianlian.mask.regions:Eyes",
                "mouth": "bianlian.mask.regions:Mouth",
                "nose": "bianlian.mask.regions:Nose",
                "brows": "bianlian.mask.regions:Brows",
                "learned": "bianlian.mask.learned:LearnedMask",
            }
        ),
        "model": MappingProxyType(
            {
                "deepfake": "bianlian.model.deepfake:Deepfake",
                "rgba": "bianlian.model.rgba:Rgba",
                "facereplace": "bianlian.model.facereplace:FaceReplace",
                "gan": "bianlian.model.gan:Gan",
                "octgan": "bianlian.model.octgan:OctGan",
                "tuned": "bianlian.model.tuned:Tuned",
            }
        ),
        "perceptual": MappingProxyType(
            {
                "base": "bianlian.model.perceptual:BaseFeatures",
                "dlib": "bianlian.model.perceptual:DlibFeatures",
                "vgg16": "bianlian.model.perceptual:vgg16",
                "vggface": "bianlian.model.perceptual:vggface",
            }
        ),
        "blend": MappingProxyType(
            {
                "mask": "bianlian.swap.blend:mask_blend",
                "overlay": "bianlian.swap.blend:overlay",
                "poisson": "bianlian.swap.poisson:poisson",
                "pyramid": "bianlian.swap.pyramid:pyramid",
            }
        ),
        "color": MappingProxyType(
            {
                "lab": "bianlian.swap.color:lab_mean_std",
                "reinhard": "bianlian.swap.reinhard:reinhard",
                "mkl": "bianlian.swap.mkl:mkl",
                "histogram": "bianlian.swap.histogram:histogram",
                "idt": "bianlian.swap.idt:idt",
                "none": "bianlian.swap.color:unchanged",
            }
        ),
    }
)
"""Every kind of plug-in and the project's own plug-ins of that kind."""


def names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, the project's own first. Raises PluginError for an unknown kind."""
    own = list(_table(kind))
    return own + sorted({e.name for e in entry_points(group=f"bianlian.{kind}")} - set(own))


def load(kind: str, name: str) -> Any:
    """Import the plug-in ``name`` of ``kind``. Raises PluginError when no table names it or its module fails to import."""
    target = _table(kind).get(name)
    if target is None:
        found = [e.value for e in entry_points(group=f"bianlian.{kind}") if e.name == name]
        if not found:
            raise PluginError(f"no {kind} is called {name!r}; known: {', '.join(names(kind))}")
        target = found[0]
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"the {kind} {name!r} ({target}) does not load: {error}") from error


def _table(kind: str) -> Mapping[str, str]:
    if kind not in TABLES:
        raise PluginError(f"no plug-in kind is called {kind!r}; known: {', '.join(TABLES)}")
    return TABLES[kind]
