"""Makes of an emitted C project a Zephyr module, a PlatformIO library and a CMSIS-Pack.

    python board_files.py PROJECT FOLDER [--vendor NAME] [--version 1.0.0]

PROJECT is the `c/` of a bundle, compiled with `--weights array` where it is large. FOLDER gets its sources
and headers, and

    zephyr/             module.yml, CMakeLists.txt, Kconfig: CONFIG_MODEL=y links it
    library.json        for PlatformIO's lib_deps
    VENDOR.NAME.pdsc    for a CMSIS-Pack, which is FOLDER as a zip archive
    selftest/           the test program that the project brings

It needs nothing but Python.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

ABOUT = "A diffusion UNet in integers, without libc, allocation or floating point"
MODULE = """name: {name}
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
"""
KCONFIG = """config {upper}
    bool "{about}"
    help
      {name}_init and {name}_run of {name}.h. The caller gives the arena.

config {upper}_SELFTEST
    bool "Its test vectors, as {name}_selftest"
    depends on {upper}
"""
CMAKE = """if(CONFIG_{upper})
  set(root ${{CMAKE_CURRENT_LIST_DIR}}/..)
  zephyr_include_directories(${{root}}/include)
  zephyr_library_named({name})
  zephyr_library_include_directories(${{root}}/src)
  zephyr_library_compile_options(-O3)
  zephyr_library_sources(
{sources}
  )
  if(CONFIG_{upper}_SELFTEST)
    zephyr_library_include_directories(${{root}}/selftest)
    zephyr_library_compile_definitions(main={name}_selftest)
    zephyr_library_sources(${{root}}/selftest/main.c ${{root}}/selftest/vectors.c)
  endif()
endif()
"""
PACK = """<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.7.7" xmlns:xs="http://www.w3.org/2001/XMLSchema-instance"
         xs:noNamespaceSchemaLocation="PACK.xsd">
  <vendor>{vendor}</vendor>
  <name>{name}</name>
  <description>{about}</description>
  <url></url>
  <releases>
    <release version="{version}">As compiled.</release>
  </releases>
  <requirements>
    <languages>
      <language name="C" version="99"/>
    </languages>
  </requirements>
  <components>
    <component Cclass="Machine Learning" Cgroup="Diffusion" Csub={quoted} Cversion="{version}">
      <description>{about}</description>
      <files>
        <file category="include" name="include/"/>
        <file category="include" name="src/"/>
        <file category="header" name="include/{name}.h"/>
{files}
      </files>
    </component>
  </components>
</package>
"""


@dataclass(frozen=True)
class Project:
    """An emitted project. name: of the program. sources: names of its C files, without their ends."""

    folder: Path
    name: str
    sources: tuple[str, ...]


def read(folder: Path) -> Project:
    """Ends with a sentence where the folder holds no project that fits."""
    try:
        about = json.loads((folder / "interface.json").read_text(encoding="utf-8"))
    except OSError:
        sys.exit(
            f"{folder} holds no emitted C project (interface.json is missing); give a bundle's c folder."
        )
    if about["storage"] != "array":
        sys.exit(f"{folder} keeps its constants in a file of their own; compile with --weights array.")
    return Project(folder, about["name"], tuple(about["sources"]))


def write(project: Project, place: Path, vendor: str, version: str) -> None:
    """Writes everything into a new folder."""
    if place.exists() and any(place.iterdir()):
        sys.exit(f"{place} exists and is not empty; give another folder.")
    for name in ("include", "src"):
        shutil.copytree(project.folder / name, place / name, dirs_exist_ok=True)
    (place / "selftest").mkdir()
    for name in ("main.c", "vectors.c", "vectors.h"):
        shutil.copyfile(project.folder / name, place / "selftest" / name)
    name, upper = project.name, project.name.upper()
    files = [f"src/{source}.c" for source in project.sources]
    listed = "\n".join(f"    ${{root}}/{file}" for file in files)
    texts = {
        "zephyr/module.yml": MODULE.format(name=name),
        "zephyr/Kconfig": KCONFIG.format(name=name, upper=upper, about=ABOUT),
        "zephyr/CMakeLists.txt": CMAKE.format(name=name, upper=upper, sources=listed),
        "library.json": json.dumps(library(name, version), indent=2) + "\n",
        f"{vendor}.{name}.pdsc": PACK.format(
            vendor=escape(vendor),
            name=name,
            quoted=quoteattr(name),
            version=version,
            about=ABOUT,
            files="\n".join(f'        <file category="source" name="{file}"/>' for file in files),
        ),
    }
    for relative, text in texts.items():
        (place / relative).parent.mkdir(exist_ok=True)
        (place / relative).write_text(text, encoding="utf-8", newline="\n")


def library(name: str, version: str) -> dict[str, object]:
    """What PlatformIO is to know."""
    return {
        "name": name,
        "version": version,
        "description": ABOUT,
        "frameworks": "*",
        "platforms": "*",
        "build": {"includeDir": "include", "srcDir": "src", "flags": ["-O3", "-I src"]},
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vendor", default="Own")
    parser.add_argument("--version", default="1.0.0")
    asked = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_-]+", asked.vendor):
        sys.exit(f"--vendor is {asked.vendor!r}, but it is letters, digits, - and _.")
    if not re.fullmatch(r"\d+\.\d+\.\d+", asked.version):
        sys.exit(f"--version is {asked.version!r}, but it is written as 1.0.0.")
    write(read(asked.project), asked.folder, asked.vendor, asked.version)


if __name__ == "__main__":
    main()
