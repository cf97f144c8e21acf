"""bianlian (变脸): face swapping for film, research and teaching."""

__version__ = "0.1.0"
