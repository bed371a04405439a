#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py [--number N] [--seed S] [FILE…]: does anything notice when lib/ is wrong?

Takes a copy of the sources, changes one operator, constant or result of lib/ at a time, builds, and
runs the unit tests: first those that are named after the file or include its header, then all that
use lib/ alone. TAP on stdout, a line per mutant: "ok" is one that was noticed. Those that live are
shown as a diff: either a test is missing, or the change changes nothing.
"""

import argparse
import glob
import os
import random
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(ROOT, "build", "mutants")
TREE = os.path.join(BUILD, "src")
TIMEOUT_SEC = 120

# What is written there, and what may stand in its place. Matched outside of comments and strings.
CHANGES = (
    (r" <= ", (" < ", " == ", " > ")),
    (r" >= ", (" > ", " == ", " < ")),
    (r" < ", (" <= ", " > ")),
    (r" > ", (" >= ", " < ")),
    (r" == ", (" != ",)),
    (r" != ", (" == ",)),
    (r" && ", (" || ",)),
    (r" \|\| ", (" && ",)),
    (r" \+ ", (" - ",)),
    (r" - ", (" + ",)),
    (r"\+\+", ("--",)),
    (r"\+= ", ("-= ",)),
    (r"-= ", ("+= ",)),
    (r"(?<=[(\s!])!(?=[a-z(*])", ("",)),
    (r"\btrue\b", ("false",)),
    (r"\bfalse\b", ("true",)),
    (r"\breturn (?=[a-z(*!-][^;\n]*;)", ("return !",)),
    (r"(?<![\w.\"'])[1-9][0-9]{0,4}(?![\w.\"'])", ("0", "PLUS", "MINUS")),
    (r"(?<![\w.\"'{])0(?![\w.\"'])", ("1",)),
    (r"\bbreak;", ("continue;",)),
    (r"\bcontinue;", ("break;",)),
)


def blank(text):
    """The same length, with comments, strings and preprocessor lines as spaces."""
    def spaces(m):
        return re.sub(r"[^\n]", " ", m[0])
    text = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', spaces, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", spaces, text, flags=re.M)


def sites(path):
    """(offset, length, replacement) of all that can be changed."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    code, found = blank(text), []
    for pattern, replacements in CHANGES:
        for m in re.finditer(pattern, code):
            # within a function only: tables of numbers above are what tests are made of, too, but
            # "[NAME] = 0," and sizes of arrays are not decisions
            if "\n}" not in code[m.end():] or code.rfind("\n{", 0, m.start()) == m.start():
                continue
            for r in replacements:
                if r in ("PLUS", "MINUS"):
                    r = str(int(m[0]) + (1 if r == "PLUS" else -1))
                found.append((m.start(), m.end() - m.start(), r))
    return text, found


def run(arguments, timeout=None):
    """Return: exit status; -1: it took too long."""
    with subprocess.Popen(arguments, cwd=TREE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True) as p:
        try:
            return p.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            return -1


def uses_lib_alone(source):
    with open(source, encoding="utf-8") as f:
        includes = re.findall(r'#include "([^"]+)"', f.read())
    return all(i.startswith("lib/") or i in ("unit.h",) for i in includes)


def tests_of(path, alone):
    """Names of the tests that should notice, and those that might."""
    header, stem = path[:-2] + ".h", os.path.basename(path)[:-2]
    near, far = [], []
    for source in sorted(glob.glob(os.path.join(TREE, "tests/unit/test-*.c"))):
        name = os.path.basename(source)[len("test-"):-2]
        with open(source, encoding="utf-8") as f:
            text = f.read()
        if f'#include "{header}"' in text or name == stem or name.endswith("-" + stem):
            near.append(name)
        elif name in alone:
            far.append(name)
    return near, far


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def build(names):
    return run(["ninja", "-C", "build", *(f"tests/unit/test-{n}" for n in names)]) == 0


def passes(name):
    return run([f"build/tests/unit/test-{name}"], TIMEOUT_SEC) == 0


def notices(names, path, text, changed, fit):
    """The first of the tests that fails; None: all pass. @fit: which of them pass without a change,
    as far as that was asked."""
    names = [n for n in names if fit.get(n, True)]
    write(path, changed)
    if not build(names):
        return "the compiler"
    for name in names:
        if passes(name):
            continue
        if name not in fit:
            write(path, text)
            fit[name] = build([name]) and passes(name)
            write(path, changed)
            if not build(names):
                return "the compiler"
        if fit[name]:
            return name
        print(f"# {name} fails without a change, too: it is not asked")
    return None


def prepare():
    shutil.rmtree(BUILD, ignore_errors=True)
    os.makedirs(TREE)
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True,
                           text=True).stdout.split("\0")
    for name in filter(None, files):
        if os.path.isfile(os.path.join(ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(TREE, name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(TREE, name))
    # a program that uses lib/ as a shared library is not linked again for each mutant
    path = os.path.join(TREE, "lib/meson.build")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    write(path, text.replace("static_library('plimsoll'", "shared_library('plimsoll'"))
    # without optimisation it is compiled in half the time; a sanitizer notices what no test asks for
    if run(["meson", "setup", "build", "-Dbuildtype=debug", "-Doptimization=0", "-Dwerror=false",
            "-Db_sanitize=address,undefined", "-Db_lundef=false"]) != 0:
        sys.exit("mutants: the build cannot be set up")
    if run(["ninja", "-C", "build", "lib/libplimsoll.so"]) != 0:
        sys.exit("mutants: lib/ does not build unchanged")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--number", type=int, default=120)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    os.environ["UBSAN_OPTIONS"] = "halt_on_error=1"
    prepare()
    alone = [os.path.basename(s)[len("test-"):-2] for s in
             glob.glob(os.path.join(TREE, "tests/unit/test-*.c")) if uses_lib_alone(s)]
    files = options.files or sorted(os.path.relpath(p, TREE) for p in
                                    glob.glob(os.path.join(TREE, "lib/*/*.c")))
    choices = [(path, site) for path in files for site in sites(os.path.join(TREE, path))[1]]
    print(f"# seed {options.seed}; {len(choices)} changes are possible", flush=True)
    random.Random(options.seed).shuffle(choices)
    n = lived = 0
    fit = {}
    for path, (at, length, replacement) in choices:
        if n == options.number:
            break
        full = os.path.join(TREE, path)
        text, _ = sites(full)
        line = text.count("\n", 0, at) + 1
        changed = text[:at] + replacement + text[at + length:]
        near, far = tests_of(path, alone)
        by = notices(near, full, text, changed, fit) or notices(far, full, text, changed, fit)
        write(full, text)
        if by == "the compiler":
            continue # no mutant
        n += 1
        lived += by is None
        print(f"{'ok' if by else 'not ok'} {n} {path}:{line}"
              + (f": {by} notices" if by else " lives"))
        if not by:
            print(f"# - {text.splitlines()[line - 1].strip()}\n# + {changed.splitlines()[line - 1].strip()}")
        sys.stdout.flush()
    print(f"1..{n}\n# {n - lived} of {n} were noticed: {100 * (n - lived) / max(n, 1):.0f} %")


if __name__ == "__main__":
    main()
