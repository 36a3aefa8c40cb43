"""A C compiler for tests that keeps its objects: the same text with the same flags isn't compiled again.

    FOLDER/cc ARGUMENT...

The kernels are the same in every emitted program, and compiling them takes half a minute. Where a test has an
empty cache or adds a kernel, the objects of all others come from FOLDER, which several processes may use at
once. What isn't the plain compilation of one file, and what the compiler has something to say about, goes to
COMPILER as it is.

It is started some thousand times, and handing out an object takes no longer than Python's start: no regular
expressions here, and what only a compilation needs is imported for one.
"""

from __future__ import annotations

import fcntl
import os
import sys

try:
    from _blake2 import blake2b  # hashlib brings OpenSSL, which takes a fifth of all time here
except ImportError:
    from hashlib import blake2b

OTHERS = ("-M", "-MM", "-MG", "-MP", "-fstack-usage", "-include", "-isystem", "-iquote", "-x")
BEGIN_OTHERS = ("-g", "-save-temps", "--", "@")
"""Flags that write more than an object, or read files that aren't looked at here."""
NAMED = {"-o": "object", "-MF": "list", "-MT": "target", "-MQ": "target", "-I": "folder"}
"""Flags that a name follows."""
START = "import sys; sys.path.append(sys.argv.pop(1)); import kept_objects; sys.exit(kept_objects.main())"
"""A module is compiled once, where a program would be each time."""


def launcher(folder: str, compiler: str) -> str:
    """The path of a command that takes COMPILER's arguments, made in `folder`, of the same name."""
    import shlex

    here, path = os.path.dirname(__file__), os.path.join(folder, os.path.basename(compiler))
    os.makedirs(folder, exist_ok=True)
    unfinished = f"{path}.{os.getpid()}"
    with open(unfinished, "w", encoding="utf-8") as file:
        words = (sys.executable, "-I", "-S", "-c", START, here, folder, compiler)
        file.write(f'#!/bin/sh\nexec {" ".join(map(shlex.quote, words))} "$@"\n')
    os.chmod(unfinished, 0o755)
    os.replace(unfinished, path)
    return path


def asked(arguments: list[str]) -> dict[str, list[str]] | None:
    """The words by what they are: source, object, folder, flag and what `NAMED` has; None for what isn't one
    compilation."""
    found: dict[str, list[str]] = {"source": [], "flag": [], **{kind: [] for kind in NAMED.values()}}
    words = iter(arguments)
    for word in words:
        if word in NAMED:
            found[NAMED[word]].append(next(words, ""))
        elif word.startswith("-I"):
            found["folder"].append(word[2:])
        elif word in OTHERS or word.startswith(BEGIN_OTHERS):
            return None
        elif word not in ("-MD", "-MMD"):
            found["flag" if word.startswith("-") else "source"].append(word)
    plain = len(found["source"]) == len(found["object"]) == 1 and found["source"][0].endswith(".c")
    return found if plain and "-c" in found["flag"] else None


def read_by(source: str, folders: list[str]) -> list[bytes]:
    """The texts of a file and of all headers in `folders` and beside it that it may include."""
    waiting, seen, texts = [source], {source}, []
    while waiting:
        path = waiting.pop()
        with open(path, "rb") as file:
            texts.append(file.read())
        for name in included(texts[-1]):
            places = (os.path.join(folder, name) for folder in (os.path.dirname(path), *folders))
            found = next((place for place in places if os.path.isfile(place)), None)
            if found is not None and found not in seen:
                seen.add(found)
                waiting.append(found)
    return texts


def included(text: bytes) -> list[str]:
    """The names that a text includes, whatever the preprocessor will think of the line."""
    names = []
    for line in text.split(b"#")[1:]:
        word, _, rest = line.lstrip().partition(b"include")
        if not word and (rest := rest.lstrip())[:1] in (b'"', b"<"):
            names.append(os.fsdecode(rest[1:].partition(b'"' if rest[:1] == b'"' else b">")[0]))
    return names


def matters(flag: str, texts: list[bytes]) -> bool:
    """Whether a flag can change the object: a word that is defined must stand somewhere."""
    word = os.fsencode(flag[2:].partition("=")[0])
    return not flag.startswith("-D") or any(word in text for text in texts)


def in_one_order(flags: list[str]) -> list[str]:
    """Flags that say the same in the same words: sorted, where none takes back what another says, and without
    warnings where none are wanted."""
    if "-w" in flags:
        flags = [flag for flag in flags if flag != "-w" and not flag.startswith(("-W", "-pedantic"))]
    once = sorted(set(flags))
    kinds = {"-O" if flag.startswith("-O") else flag.partition("=")[0] for flag in once}
    taken_back = any(flag[2:].startswith("no-") for flag in once)
    return flags if taken_back or len(kinds) < len(once) else once


def machine() -> bytes:
    """What `-march=native` may depend on."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            return next((line for line in file if line.startswith((b"flags", b"Features"))), b"")
    except OSError:
        return b""


def copy(source: str, place: str) -> None:
    with open(source, "rb") as read, open(place, "wb") as written:
        written.write(read.read())


def main() -> int:
    folder, compiler, *arguments = sys.argv[1:]
    found = asked(arguments)
    if found is None or not os.path.isfile(found["source"][0]):
        os.execv(compiler, [compiler, *arguments])
    (source,), (made,) = found["source"], found["object"]
    texts = read_by(source, found["folder"])
    if any(b".incbin" in text for text in texts):  # a file that isn't looked at here
        os.execv(compiler, [compiler, *arguments])
    flags = in_one_order([flag for flag in found["flag"] if matters(flag, texts)])
    real = os.path.realpath(compiler)
    seen = blake2b(repr((real, os.stat(real).st_mtime_ns, flags)).encode() + machine(), digest_size=16)
    for text in texts:
        seen.update(blake2b(text).digest())
    kept = os.path.join(folder, f"{seen.hexdigest()}.o")
    with open(f"{kept}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(kept):
            import subprocess

            done = subprocess.run([compiler, *arguments], capture_output=True, check=False)
            sys.stdout.buffer.write(done.stdout)
            sys.stderr.buffer.write(done.stderr)
            if done.returncode == 0 and not done.stdout + done.stderr:
                copy(made, f"{kept}.part")
                os.replace(f"{kept}.part", kept)
            return done.returncode
    copy(kept, made)
    for path in found["list"]:
        with open(path, "w", encoding="utf-8") as file:
            file.write(": ".join(name.replace(" ", "\\ ") for name in (made, source)) + "\n")
    return 0
