#!/usr/bin/env python3
"""What plimsolld costs when nothing happens: 5 quiet containers on a real engine.

usage: idle.py [SECONDS]

goal: at most 1 wake-up in 10 s (there is no watchdog here), CPU under 0.01 % of a core, RssAnon at
most 2 MiB. Peer: monit with five checks has 1.1 MiB anonymous and wakes up every 10 s for each check.
"""
import sys
import time

from bench_lib import Daemon, Engine, figure, finish

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 120


def switches(pid):
    with open(f"/proc/{pid}/status") as f:
        return sum(int(x.split()[1]) for x in f if "ctxt_switches" in x)


def cpu_nsec(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0])


def main():
    engine = Engine()
    try:
        for i in range(5):
            engine.start(engine.create(f"quiet-{i}"))
        d = Daemon(engine.url, "[Service quiet]\nMatch=name:quiet-*\nMemoryMax=64M\nCPUQuota=50%\nTasksMax=64\n")
        try:
            time.sleep(5)  # engine updates and their events
            w, c = switches(d.p.pid), cpu_nsec(d.p.pid)
            time.sleep(SECONDS)
            w, c = switches(d.p.pid) - w, cpu_nsec(d.p.pid) - c
            rate, share = w * 10 / SECONDS, c / 1e9 / SECONDS * 100
            figure("wake-ups", f"{rate:.2f} in 10 s ({w} in {SECONDS} s), goal at most 1", rate <= 1)
            figure("cpu", f"{share:.4f} % of a core, goal under 0.01 %", share < 0.01)
            anon = d.smaps("RssAnon")
            figure("memory with 5", f"RssAnon {anon / 2**20:.2f} MiB, monit 1.1 MiB, ratio "
                   f"{anon / 2**20 / 1.1:.2f}, goal at most 2 MiB", anon <= 2 * 2**20)
        finally:
            d.stop()
    finally:
        engine.stop()
    finish()


main()
