"""The wheel of clv itself, which goes with each model: no index of packages holds clv.

MLflow copies a model's folder beside what it installs from ``requirements.txt``, so that a
path in it finds the wheel. clv's own loading never touches it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from importlib import metadata, util
from pathlib import Path, PurePosixPath

from clv.storage import whole

PACKAGE = "clv"
FOLDER = "wheels"
_NAME = re.compile(FOLDER + r"/clv-[0-9][0-9A-Za-z.]*-py3-none-any\.whl")
_SUFFIXES = (".py", ".toml", ".yaml", ".j2", ".css", ".js", ".typed")
"""What the package is made of."""
_DESCRIBED = ("METADATA", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
_WHEEL = "Wheel-Version: 1.0\nGenerator: clv\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def is_wheel(name: str) -> bool:
    """Say whether a file of a saved pyfunc is the wheel of clv.

    Examples
    --------
    >>> is_wheel("wheels/clv-0.1.0-py3-none-any.whl"), is_wheel("wheels/other-1-py3-none-any.whl")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def wheel_name() -> str:
    """Return the name, in a model's folder, of the wheel of the clv that runs."""
    return f"{FOLDER}/{PACKAGE}-{metadata.version(PACKAGE)}-py3-none-any.whl"


def write_wheel(directory: Path) -> Path:
    """Write the wheel of the clv that runs into a model's folder.

    It is packed from the files that run, whether they are installed or a checkout; the same
    files give the same bytes.
    """
    installed = metadata.distribution(PACKAGE)
    members = _modules()
    about = f"{PACKAGE}-{installed.version}.dist-info"
    for name in _DESCRIBED:
        text = installed.read_text(name)
        if text is not None:
            members[f"{about}/{name}"] = text.encode()
    members[f"{about}/WHEEL"] = _WHEEL.encode()
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in members.items())
    members[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    path = directory / wheel_name()
    with whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            # Without the date and the rights of this machine.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def _modules() -> dict[str, bytes]:
    """Return the package's files by their name in it; the application may lie elsewhere."""
    found = {}
    for inside in (PACKAGE, f"{PACKAGE}/pipelines"):
        spec = util.find_spec(inside.replace("/", "."))
        for place in [] if spec is None else spec.submodule_search_locations or []:
            for path in Path(place).rglob("*"):
                if path.suffix in _SUFFIXES and path.is_file():
                    name = PurePosixPath(inside, path.relative_to(place).as_posix())
                    found[str(name)] = path.read_bytes()
    return dict(sorted(found.items()))


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
