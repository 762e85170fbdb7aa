"""
Makes the package of the AWS Lambda function: `make lambda`, see docs/lambda.md.

    python -m scripts.lambda_package --arch arm64

It holds `ctmonitor`, LICENSE, and the packages that deploy/lambda/packages.txt names,
in the versions of requirements.txt, as wheels for the Python of the function. Nothing
is compiled or run, so it is made on any machine; the same wheels give the same file,
byte for byte, with the same zlib.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = CHECKOUT / "deploy" / "lambda" / "packages.txt"
PYTHON = "3.13"
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
MAX_BYTES = 50_000_000  # of Lambda, for what is sent to it directly

# The SDK, for a runtime whose own is too old.
_SDK = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six")
# Amazon Linux 2023, on which this Python runs, has glibc 2.34.
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_LEFT_OUT = re.compile(r"[^/]+\.data/|(?:.+/)?__pycache__/|.+\.(?:pyi|pyc)$")
_WHEN = (1980, 1, 1, 0, 0, 0)  # a ZIP begins its time there
_MODE = 0o644 << 16


class PackageError(Exception):
    """The package was not made; says why, and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 made, 1 not made."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.lambda_package",
        description="Make the package of the AWS Lambda function.",
    )
    parser.add_argument(
        "--arch",
        choices=tuple(ARCHITECTURES),
        # `make ARCH=arm64 lambda`; a shell may have it empty.
        default=os.environ.get("ARCH") or "x86_64",
        help="of the function (x86_64, or what ARCH says)",
    )
    parser.add_argument(
        "--boto3",
        action="store_true",
        default=bool(os.environ.get("BOTO3")),
        help="pack boto3 as well, which the runtime has (also when BOTO3 is set)",
    )
    parser.add_argument(
        "--output", type=Path, default=CHECKOUT / "build" / "lambda.zip"
    )
    options = parser.parse_args(argv)
    if options.arch not in ARCHITECTURES:  # argparse does not look at a default
        parser.error(f"ARCH={options.arch}: choose from {', '.join(ARCHITECTURES)}")
    try:
        wanted = pins(names(PACKAGES) + (_SDK if options.boto3 else ()))
        with tempfile.TemporaryDirectory() as folder:
            download(wanted, options.arch, Path(folder))
            count = pack(Path(folder).glob("*.whl"), options.output)
    except (PackageError, OSError) as exc:
        print(f"The package was not made: {exc}", file=sys.stderr)
        return 1
    size = options.output.stat().st_size
    digest = hashlib.sha256(options.output.read_bytes()).hexdigest()
    print(f"{options.output}: {size:,} bytes, {count:,} files, {len(wanted)} packages")
    print(f"for Python {PYTHON} on {options.arch}, sha256 {digest}")
    return 0


def names(path: Path) -> tuple[str, ...]:
    """The names in a file, one a line; `#` begins a comment line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def pins(wanted: Iterable[str]) -> list[str]:
    """
    Names with their versions, as `idna==3.20`.

    Raises:
        PackageError: requirements.txt and requirements-dev.txt lack one.
    """
    versions = {}
    for file in ("requirements-dev.txt", "requirements.txt"):
        for line in (CHECKOUT / file).read_text(encoding="utf-8").splitlines():
            if (found := _PIN.match(line)) is not None:
                versions[_canonical(found[1])] = found[2]
    missing = [name for name in wanted if _canonical(name) not in versions]
    if missing:
        raise PackageError(
            f"requirements.txt has no version of {', '.join(missing)}. Add it there, "
            f"or take it out of {PACKAGES.relative_to(CHECKOUT)}."
        )
    return [f"{name}=={versions[_canonical(name)]}" for name in wanted]


def download(wanted: Sequence[str], arch: str, folder: Path) -> None:
    """
    Wheels for the function's Python; what has none is not compiled.

    Raises:
        PackageError: pip could not get them; it has said why.
    """
    machine = ARCHITECTURES[arch]
    platforms = [f"--platform={each}_{machine}" for each in _PLATFORMS]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--no-input", "--only-binary=:all:"),
            *("--implementation=cp", f"--python-version={PYTHON}", *platforms),
            *(f"--dest={folder}", *wanted),
        ],
        check=False,
    )
    if done.returncode:
        raise PackageError("pip could not get all wheels; the reason stands above.")


def pack(wheels: Iterable[Path], output: Path) -> int:
    """
    Writes the ZIP file, whole or not at all; returns the number of its files.

    Raises:
        PackageError: it is too large, or a wheel has what cannot be packed.
    """
    files = dict(_of_checkout())
    for wheel in wheels:
        for name, content in _of_wheel(wheel):
            if files.setdefault(name, content) != content:
                raise PackageError(f"{name} comes twice, and not the same.")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f"{output.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, _WHEN)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # the mode is one of Unix, wherever it is made
                entry.external_attr = _MODE
                made.writestr(entry, files[name])
        if (size := part.stat().st_size) > MAX_BYTES:
            raise PackageError(
                f"it has {size:,} bytes, of which Lambda takes {MAX_BYTES:,}. Take "
                f"packages out of {PACKAGES.relative_to(CHECKOUT)}."
            )
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    return len(files)


def _of_checkout() -> Iterable[tuple[str, bytes]]:
    yield "LICENSE", (CHECKOUT / "LICENSE").read_bytes()
    for path in (CHECKOUT / "ctmonitor").rglob("*"):
        name = path.relative_to(CHECKOUT).as_posix()
        if path.is_file() and not _LEFT_OUT.match(name):
            yield name, path.read_bytes()


def _of_wheel(wheel: Path) -> Iterable[tuple[str, bytes]]:
    """Files by where they lie when it is installed, without scripts and headers."""
    with zipfile.ZipFile(wheel) as opened:
        for each in opened.infolist():
            name = _DATA.sub("", each.filename, count=1)
            if not (each.is_dir() or _LEFT_OUT.match(name)):
                yield name, opened.read(each)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
