"""Where weights come from, and reading the bytes there: files of the package, members of wheels and sdists, https addresses."""

from __future__ import annotations

import lzma
import struct
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from bianlian.errors import WeightsError
from bianlian.files import open_plain


@dataclass(frozen=True)
class PackageFile:
    """A file that ships inside the package. path: relative to the package, with forward slashes (``data/x.safetensors``)."""

    path: str


@dataclass(frozen=True)
class WheelMember:
    """One member of a wheel on the package index.

    project, version: what pip downloads. member: path inside the archive. python: the Python whose wheel is asked for, whatever
    Python runs. platform: its platform tag, None for a wheel of pure Python. sha256: of the whole wheel, None to check the member
    alone.
    """

    project: str
    version: str
    member: str
    python: str = "3.11"
    platform: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class SdistMember:
    """One member of a source archive on the package index, for projects without a wheel. sha256: of the whole archive.

    pip asks an archive for its metadata by running its setup script, so it is given the sha256 and checks it before that.
    """

    project: str
    version: str
    member: str
    sha256: str


@dataclass(frozen=True)
class Url:
    """A plain address; https only, redirects too."""

    url: str


Archived = WheelMember | SdistMember
Source = PackageFile | Archived | Url


def same_archive(a: Archived, b: Archived) -> bool:
    """Tell whether two members lie in one archive."""
    return replace(a, member="") == replace(b, member="")


def download(wheel: Archived, folder: Path) -> Path:
    """Let pip, with the machine's own settings, download the archive into an empty private folder. Of a wheel nothing is run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--dest", str(folder)]
    if isinstance(wheel, SdistMember):
        wanted = folder / "requirement.txt"
        wanted.write_text(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        command += ["--no-binary", wheel.project, "--require-hashes", "--requirement", str(wanted)]
    else:
        command += ["--only-binary=:all:", "--python-version", wheel.python]
        if wheel.platform:
            command += ["--implementation", "cp", "--abi", f"cp{wheel.python.replace('.', '')}", "--platform", wheel.platform]
        command.append(f"{wheel.project}=={wheel.version}")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"{wheel.project} {wheel.version}: pip did not finish ({error})") from error
    found = sorted(folder.glob("*.tar.gz" if isinstance(wheel, SdistMember) else "*.whl"))
    if done.returncode != 0 or len(found) != 1:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["pip said nothing"]
        raise WeightsError(f"{wheel.project} {wheel.version}: pip could not download it ({lines[-1][:300]})")
    return found[0]


def read_member(archive: Path, member: str, size: int) -> bytes:
    """Read at most ``size`` + 1 bytes of one member of a wheel or .tar.gz; nothing is unpacked to disk."""
    try:
        if archive.suffix == ".gz":
            with open_plain(archive) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
                stream = tar.extractfile(member)
                if stream is None:
                    raise KeyError(f"{member} is no file")
                return stream.read(size + 1)
        with open_plain(archive) as file, zipfile.ZipFile(file) as wheel, wheel.open(member) as part:
            return part.read(size + 1)
    except (
        *(KeyError, OSError, EOFError, ValueError, RuntimeError, OverflowError, struct.error),
        *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    ) as error:
        raise WeightsError(f"{archive.name}: the member {member} cannot be read ({error})") from error


def read_url(url: str, size: int) -> bytes:
    """Read at most ``size`` + 1 bytes. The opener knows https alone, so that a redirect to anything else fails too."""
    if not url.startswith("https://"):
        raise WeightsError(f"{url}: only https addresses are fetched")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(url, timeout=60) as answer:
            return bytes(answer.read(size + 1))
    except (OSError, urllib.error.URLError) as error:
        raise WeightsError(f"{url}: {error}") from error
