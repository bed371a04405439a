#!/usr/bin/env python3
"""Counts test results: "PASSED FAILED SKIPPED", then a line for each failure.

tally.py tap FILE                  what bats, tests/vm/run and lint print (TAP)
tally.py meson TESTLOG.JSON        meson's log; a Check program counts as its number of checks;
                                   "# skip NAME: WHY" makes one of them a skipped one
tally.py meson-details TESTLOG.JSON  what the failed programs printed
"""
import json
import re
import sys

SKIPS = re.compile(r"^# skip ", re.M)  # SKIP_HERE() of a test that Check then calls passed
CHECKS = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)


def tap(path):
    passed, failed, skipped, plan = 0, [], 0, None
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if m := re.match(r"1\.\.(\d+)\s*(# *skip.*)?$", line, re.I):
                plan = int(m[1])
            elif re.match(r"not ok\b", line) and not re.search(r"# *todo\b", line, re.I):
                failed.append(line.strip())
            elif re.match(r"(not )?ok\b", line):
                if re.search(r"# *skip\b", line, re.I):
                    skipped += 1
                else:
                    passed += 1
    ran = passed + len(failed) + skipped
    if plan is None or ran < plan:
        failed.append(f"not ok - ended early: {ran} of {'?' if plan is None else plan} tests ran")
    return passed, failed, skipped


def tests_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def meson(path):
    passed, failed, skipped = 0, [], 0
    for t in tests_of(path):
        counts = CHECKS.findall(t.get("stdout") or "")
        checks, bad = sum(int(c[0]) for c in counts), sum(int(c[1]) + int(c[2]) for c in counts)
        skips = len(SKIPS.findall(t.get("stdout") or ""))
        if t["result"] in ("OK", "EXPECTEDFAIL"):
            passed += max((checks or 1) - skips, 0)
            skipped += skips
        elif t["result"] == "SKIP":
            skipped += 1
        else:
            passed += max(checks - bad - skips, 0)
            skipped += skips
            failed += [f"not ok - {t['name']} ({t['result']})"] * max(bad, 1)
    return passed, failed, skipped


def main():
    what, path = sys.argv[1:]
    if what == "meson-details":
        for t in tests_of(path):
            if t["result"] not in ("OK", "EXPECTEDFAIL", "SKIP"):
                print(f"--- {t['name']}: {t['result']}")
                print((t.get("stdout") or "")[-6000:], (t.get("stderr") or "")[-6000:], sep="")
        return
    passed, failed, skipped = {"tap": tap, "meson": meson}[what](path)
    print(passed, len(failed), skipped)
    print("\n".join(dict.fromkeys(failed)))


main()
