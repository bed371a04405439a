#!/usr/bin/env python3
"""Limit in force relative to the start event, on a real engine.

usage: born-limited.py [STARTS [NEIGHBOURS [PART…]]]

Each way of starting is judged by an observer that shares no code with plimsoll. STARTS of each kind
(100), beside so many other containers (0); the parts, all of them by default:
  created   created, then started   goal: in force before the start event in at least 99 %
  run       docker run              goal: the same in at least 95 %, and a container whose first act
                                    is to print its own limit proves it from inside
  event     the event path alone    (early write off) goal: at most 1.5 x the bare C loop's delay, and
                                    50 x faster than the shell loop docker events | docker update
"""
import json
import os
import subprocess
import sys
import threading
import time

from bench_lib import BUILD, Daemon, Engine, figure, finish, hierarchy, median

STARTS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
NEIGHBOURS = int(sys.argv[2]) if len(sys.argv) > 2 else 0
PARTS = sys.argv[3:] or ["created", "run", "event"]
LIMIT = 192 * 1024 * 1024
WATCH = os.path.join(BUILD, "tests", "bench", "limit-latency")
MEM, MEM_V = hierarchy("memory")
CPU, CPU_V = hierarchy("cpu")
MEM_FILE = "memory.max" if MEM_V == 2 else "memory.limit_in_bytes"
CPU_FILE = "cpu.max" if CPU_V == 2 else "cpu.cfs_quota_us"
CPU_VALUE = "50000 100000" if CPU_V == 2 else "50000"
POLICY = "[Service bench]\nMatch=name:bench-*\nMemoryMax=192M\nCPUQuota=50%\n"


class Observer:
    """Times at which both files of a container first read as wanted, and of its start event."""

    def __init__(self, engine):
        self.times, self.starts, self.procs = {}, {}, []
        for root, file, value in ((MEM, MEM_FILE, str(LIMIT)), (CPU, CPU_FILE, CPU_VALUE)):
            self.spawn([WATCH, "observe", f"{root}/{engine.parent}", file, value], self.on_limit)
        self.spawn(["docker", "-H", engine.url, "events", "--filter", "event=start", "--format",
                    "{{json .}}"], self.on_event)
        time.sleep(0.5)

    def spawn(self, argv, take):
        p = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        self.procs.append(p)
        threading.Thread(target=lambda: [take(line) for line in p.stdout], daemon=True).start()

    def on_limit(self, line):
        name, nsec, file = line.split()
        cid = name.removeprefix("docker-").removesuffix(".scope")
        self.times.setdefault(cid, {})[file] = int(nsec)

    def on_event(self, line):
        e = json.loads(line)
        self.starts[e["Actor"]["ID"]] = e["timeNano"]

    def delay(self, cid, timeout=5):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            t = self.times.get(cid, {})
            if len(t) == 2 and cid in self.starts:
                return (max(t.values()) - self.starts[cid]) / 1e6
            time.sleep(0.002)
        return None

    def stop(self):
        for p in self.procs:
            p.terminate()
            p.wait()


def sample(engine, observer, how, n):
    delays = []
    for i in range(n):
        if how == "run":
            cid = subprocess.run(["docker", "-H", engine.url, "run", "-d", "--network", "none", "--name",
                                  f"bench-{i}", "bb:1", "sleep", "1000"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout.strip()
        else:
            cid = engine.create(f"bench-{i}")
            if how == "created":
                time.sleep(0.1)
            engine.start(cid)
        delays.append(observer.delay(cid))
        engine.remove(cid)
    return delays


def report(name, delays, goal):
    known = [d for d in delays if d is not None]
    before = sum(1 for d in known if d < 0)
    figure(name, f"in force before the start event in {before} of {len(delays)}, median "
           f"{median(known):+.2f} ms, worst {max(known, default=float('nan')):+.2f} ms, goal {goal} %",
           before * 100 >= goal * len(delays))


def inside(engine, n=20):
    """The container's own first act: what limit does it see?"""
    own = "/sys/fs/cgroup/memory.max" if MEM_V == 2 else "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    good = 0
    for i in range(n):
        out = subprocess.run(["docker", "-H", engine.url, "run", "--rm", "--network", "none", "--name",
                              f"bench-in-{i}", "bb:1", "cat", own], text=True, stdout=subprocess.PIPE,
                             check=True).stdout.strip()
        good += out == str(LIMIT)
    figure("seen from inside", f"{good} of {n} containers read their limit in their first act", good >= 0.95 * n)


def shell_loop(engine, n):
    script = (f"docker -H {engine.url} events --filter event=start --format '{{{{.ID}}}}' | while read -r id; do "
              f"docker -H {engine.url} update --memory {LIMIT} --memory-swap -1 --cpu-period 100000 --cpu-quota 50000 $id >/dev/null; done")
    p = subprocess.Popen(["sh", "-c", script], start_new_session=True, stdin=subprocess.DEVNULL)
    time.sleep(0.5)
    return p, n


def with_observer(engine, how, n):
    o = Observer(engine)
    try:
        return [d for d in sample(engine, o, how, n)]
    finally:
        o.stop()


def event_path(engine):
    """Ours, the bare loop and the shell loop, in turns: this machine is not equally fast all the time."""
    delays = {"ours": [], "floor": [], "shell": []}
    for turn in range(4):
        n = STARTS // 4
        floor_p = subprocess.Popen([WATCH, "floor", engine.socket, f"{MEM}/{engine.parent}", MEM_FILE, str(LIMIT),
                                    f"{CPU}/{engine.parent}", CPU_FILE, CPU_VALUE], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        delays["floor"] += with_observer(engine, "at-once", n)
        floor_p.terminate()
        floor_p.wait()
        d = Daemon(engine.url, POLICY, env={"PLIMSOLL_NO_EARLY_WRITE": "1"})
        try:
            # not told to the engine beforehand either: the event path has to do it all
            delays["ours"] += with_observer(engine, "at-once", n)
        finally:
            d.stop()
        p, n = shell_loop(engine, min(n, 5))
        delays["shell"] += with_observer(engine, "at-once", n)
        os.killpg(p.pid, 15)
        p.wait()
    ours, floor, peer = (median([x for x in delays[k] if x is not None]) for k in ("ours", "floor", "shell"))
    figure("event path alone", f"{ours:.2f} ms after the start event, bare C loop {floor:.2f} ms, "
           f"ratio {ours / floor:.2f}, goal at most 1.5", ours <= 1.5 * floor)
    figure("shell loop", f"{peer:.1f} ms after the start event, {peer / max(ours, 1e-6):.0f} x ours and "
           f"{peer / max(floor, 1e-6):.0f} x the bare C loop, goal at least 50 x ours", peer >= 50 * ours)


def main():
    engine = Engine()
    try:
        engine.start(engine.create("warm"))  # the observer needs the parent's directory to be there
        for i in range(NEIGHBOURS):
            engine.start(engine.create(f"neighbour-{i}"))
        if "created" in PARTS or "run" in PARTS:
            d = Daemon(engine.url, POLICY)
            try:
                if "created" in PARTS:
                    report("created, then started", with_observer(engine, "created", STARTS), 99)
                if "run" in PARTS:
                    report("docker run", with_observer(engine, "run", STARTS), 95)
                    inside(engine)
            finally:
                d.stop()
        if "event" in PARTS:
            event_path(engine)
    finally:
        engine.stop()
    finish()


main()
