"""Builds empty stand-ins for the CUDA libraries that torch's CUDA build binds to, so that it runs
on a CPU machine.

torch's shared objects name each library as NEEDED and bind the functions they use when they are
loaded, under version names. For each missing library this links one that defines those
functions, returning 0, and puts it where torch looks first: site-packages/nvidia/cu13/lib. The
libraries are a few hundred kB; torch.cuda.is_available() is false.
"""

import collections
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

VENDOR = re.compile(r"lib(cu|nv|nccl)")
PREFIX = re.compile(r"_*(cu|nv|nccl)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def shared_objects(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            if re.search(r"\.so(\.\d+)*$", name):
                yield os.path.join(where, name)


def version_owners(file):
    """version name -> library, from the file's table of version needs."""
    owners, library = {}, None
    for line in output("readelf", "-V", "-W", file).splitlines():
        if match := re.search(r"File: (\S+)", line):
            library = match.group(1)
        elif library and (match := re.search(r"Name: (\S+)", line)):
            owners[match.group(1)] = library
    return owners


def wanted(torch_folder):
    """library -> version name -> functions; the first one also gets those that name no library."""
    files = list(shared_objects(torch_folder))
    own = {os.path.basename(file) for file in files}
    libraries, loose, defined = {}, set(), set()
    for file in files:
        missing = {
            name
            for name in re.findall(r"NEEDED.*\[(.+)\]", output("readelf", "-d", file))
            if VENDOR.match(name) and name not in own
        }
        for name in missing:
            libraries.setdefault(name, collections.defaultdict(set))
        owners = version_owners(file)
        for line in output("nm", "-D", file).splitlines():
            kind, symbol = line.split()[-2:]
            name, _, version = symbol.partition("@")
            if kind != "U":
                defined.add(name)
            elif owners.get(version) in missing:
                libraries[owners[version]][version].add(name)
            elif not version and PREFIX.match(name):
                loose.add(name)
    if libraries:
        libraries[min(libraries)][""] |= loose - defined
    return libraries


def build(library, versions, folder):
    with tempfile.TemporaryDirectory() as work:
        source, script = os.path.join(work, "s.c"), os.path.join(work, "s.map")
        symbols = sorted(set().union(*versions.values()) if versions else ())
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(f"long {symbol}(void) {{ return 0; }}\n" for symbol in symbols)
        with open(script, "w", encoding="utf-8") as file:
            for version, names in sorted(versions.items()):
                if version:
                    file.write(
                        f"{version} {{ global: {' '.join(n + ';' for n in sorted(names))} }};\n"
                    )
        flags = [f"-Wl,--version-script={script}"] if any(versions) else []
        subprocess.run(
            [
                "gcc",
                "-shared",
                "-fPIC",
                "-O1",
                "-w",
                "-fno-builtin",
                f"-Wl,-soname,{library}",
                *flags,
                source,
                "-o",
                os.path.join(folder, library),
            ],
            check=True,
        )
    return len(symbols)


def main():
    torch_folder = os.path.dirname(importlib.util.find_spec("torch").origin)
    folder = os.path.join(os.path.dirname(torch_folder), "nvidia", "cu13", "lib")
    os.makedirs(folder, exist_ok=True)
    libraries = wanted(torch_folder)
    if not libraries:
        sys.exit("cuda_stand_ins: torch needs no CUDA library: nothing to do")
    total = sum(build(library, libraries[library], folder) for library in sorted(libraries))
    print(f"{len(libraries)} stand-ins with {total} functions in {folder}")


if __name__ == "__main__":
    main()
