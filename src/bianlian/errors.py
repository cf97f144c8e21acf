"""The one error tree of bianlian.

    BianlianError                 exit code 2 on the command line
      InputError                  a file, folder or value that the caller gave is not usable
        VideoError                a video or picture that cannot be read or written
        NoFaceError               no usable face where at least one is needed
        FacesetError              a faceset on disk that is missing, damaged or of another schema
        TracksError               a tracks file that is missing, damaged or of another schema
        RunError                  a training run or checkpoint that is missing, damaged or of other people
        ConfigError               a setting that is unknown or out of range
      WeightsError                a weights file that is missing, altered or cannot be fetched
      OutputError                 an output that cannot be written (full disk, read-only, would overwrite the input)
      PluginError                 a plug-in name that is in no table, or a plug-in that fails to load

Every message says what was wanted, what came and what to do. ``Interrupted`` stands apart: the user asked to stop.
"""

from __future__ import annotations


class BianlianError(Exception):
    """Base of every error that bianlian raises on purpose."""


class InputError(BianlianError):
    """An input of the caller is not usable."""


class VideoError(InputError):
    """A video or picture cannot be read or written."""


class NoFaceError(InputError):
    """No usable face was found where at least one is needed."""


class FacesetError(InputError):
    """A faceset on disk is missing, damaged or of another schema version."""


class TracksError(InputError):
    """A tracks file is missing, damaged or of another schema version."""


class RunError(InputError):
    """A training run or checkpoint is missing, damaged or was made for other people."""


class ConfigError(InputError):
    """A setting is unknown or out of its range."""


class WeightsError(BianlianError):
    """A weights file is missing, was altered, or cannot be fetched."""


class OutputError(BianlianError):
    """An output cannot be written."""


class PluginError(BianlianError):
    """A plug-in name is in no table, or the plug-in fails to load."""


class Interrupted(Exception):
    """The user asked to stop (Ctrl-C); what was done so far is saved."""


class TermsWarning(UserWarning):
    """Weights are in use that not everyone may use for everything."""


def one_line(text: str) -> str:
    """Write what may come from a file as one line that a terminal only shows: line ends, escapes and the like as ``\\x1b``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
