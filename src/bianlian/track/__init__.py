"""The same face across frames: link detections, smooth over time, tell people apart, choose whom to swap."""

from bianlian.track.choose import main_tracks, shots
from bianlian.track.link import Linker, link
from bianlian.track.smooth import gaussian, smooth, smoothed
from bianlian.track.who import distance_to, join_shots, name_people

__all__ = ["Linker", "distance_to", "gaussian", "join_shots", "link", "main_tracks", "name_people", "shots", "smooth", "smoothed"]
