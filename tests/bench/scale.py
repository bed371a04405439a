#!/usr/bin/env python3
"""Reloads, memory and event floods at scale: a fake engine, real cgroups, real processes in them.

usage: scale.py [N…]      (default 100 1000 5000)

  reload   every limit of N containers changes; time until the last file reads as wanted.
           goal: at most 3 x a bare C loop that writes and reads back the same files (1,000), and
           linear growth: time per container at 5,000 at most 1.5 x that at 1,000, times what the
           bare loop loses as well (cgroup v1 walks all groups of the host at each write of a quota)
  memory   RssAnon with 1,000. goal: at most 10 MiB (cAdvisor with 200: 92 MiB)
  flood    10,000 start and die events in bursts: no end state missed, memory bounded.
           goal: at most 3 x the CPU of a bare C loop. What is known of the services is written
           afterwards, ten files a second: those of the seconds until it is idle are in it
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench_lib import BUILD, ROOT, Api, Daemon, figure, finish, hierarchy, median

SIZES = [int(a) for a in sys.argv[1:]] or [100, 1000, 5000]
TOOL = os.path.join(BUILD, "tests", "bench", "limit-latency")
FAKE = os.path.join(ROOT, "tests", "support", "fake-engine")
EVENTS = 10000
PARENT = f"plimsoll-scale-{os.getpid()}"
MEM, MEM_V = hierarchy("memory")
CPU, CPU_V = hierarchy("cpu")
MEM_FILE = "memory.max" if MEM_V == 2 else "memory.limit_in_bytes"
CPU_FILE = "cpu.max" if CPU_V == 2 else "cpu.cfs_quota_us"
ROOTS = sorted({MEM, CPU})


def cpu_value(percent):
    return f"{percent * 1000} 100000" if CPU_V == 2 else str(percent * 1000)


def policy(mib, percent):
    return f"[Service all]\nMatch=name:c*\nMemoryMax={mib}M\nCPUQuota={percent}%\n"


class Fake:
    """A fake engine whose containers are real groups with a sleeping process in each."""

    def __init__(self, n):
        self.n, self.dir = n, tempfile.mkdtemp(prefix="plimsoll-scale-")
        self.socket = self.dir + "/docker.sock"
        self.url = "unix://" + self.socket
        self.p = subprocess.Popen([FAKE, "--socket", self.socket], stdin=subprocess.DEVNULL)
        while not os.path.exists(self.socket):
            time.sleep(0.01)
        for root in ROOTS:
            os.mkdir(f"{root}/{PARENT}")
        self.sleepers = [subprocess.Popen(["/bin/busybox", "sleep", "100000"], stdin=subprocess.DEVNULL)
                         for _ in range(n)]
        self.tell({"op": "generate", "n": n, "prefix": "c", "running": True,
                   "pids": [s.pid for s in self.sleepers]})
        self.ids = {}
        for c in Api(self.socket)("GET", "/containers/json?all=1"):
            self.ids[c["Id"]] = c["Names"][0].lstrip("/")
        pids = {}
        api = Api(self.socket)
        for cid in self.ids:
            pids[cid] = api("GET", f"/containers/{cid}/json")["State"]["Pid"]
        for cid, pid in pids.items():
            for root in ROOTS:
                os.mkdir(f"{root}/{PARENT}/{cid}")
                with open(f"{root}/{PARENT}/{cid}/cgroup.procs", "w") as f:
                    f.write(str(pid))

    def tell(self, *ops):
        r = Api(self.socket)("POST", "/_fake", list(ops))
        if not r.get("ok"):
            raise RuntimeError(r)
        return r

    def stop(self):
        for s in self.sleepers:
            s.kill()
        for s in self.sleepers:
            s.wait()
        self.p.terminate()
        self.p.wait()
        for root in ROOTS:
            for _ in range(100):
                for cid in list(self.ids):
                    try:
                        os.rmdir(f"{root}/{PARENT}/{cid}")
                    except OSError:
                        pass
                try:
                    os.rmdir(f"{root}/{PARENT}")
                    break
                except OSError:
                    time.sleep(0.05)
        shutil.rmtree(self.dir, ignore_errors=True)


def judge(fake, mib, percent, *command):
    """Seconds, as the judge says: a C program that looks at the files itself."""
    out = subprocess.run([TOOL, *command, f"{MEM}/{PARENT}", MEM_FILE, str(mib << 20), f"{CPU}/{PARENT}",
                          CPU_FILE, cpu_value(percent)], input="\n".join(fake.ids), text=True,
                         stdout=subprocess.PIPE, check=True)
    return float(out.stdout)


def reload_time(fake, daemon):
    """Rounds of changed limits; the floor is taken afterwards, on the same files."""
    ours, floor = [], []
    for k in range(7):
        daemon.write_policy(policy(100 + 2 * k, 10 + 2 * k))
        ours.append(judge(fake, 100 + 2 * k, 10 + 2 * k, "reload", str(daemon.p.pid)))
        daemon.wait_idle()  # the engine is told meanwhile
    daemon.p.send_signal(signal.SIGSTOP)
    for k in range(7):
        floor.append(judge(fake, 200 + k, 50 + k, "bare"))
    judge(fake, 112, 22, "bare")  # as the daemon left it
    daemon.p.send_signal(signal.SIGCONT)
    daemon.wait_idle()
    return median(ours), median(floor)


def burst(fake):
    fake.tell({"op": "burst", "n": EVENTS, "prefix": "c", "pause_every": 500, "pause": 0.001})


def wrong_states(fake, daemon):
    names = {v: k for k, v in fake.ids.items()}
    api = Api(fake.socket)
    return sum(api("GET", f"/containers/{names[c['name']]}/json")["State"]["Status"] != c["phase"]
               for c in daemon.status()["containers"])


def flood(fake, daemon):
    """CPU seconds an event, end states that stay wrong, bytes that stay."""
    before, cpu = daemon.smaps("RssAnon"), daemon.cpu_sec()
    burst(fake)
    end = time.monotonic() + 120
    while True:
        # on a busy host the engine may be what takes a second: then none of this is over yet
        daemon.wait_idle()
        used = daemon.cpu_sec() - cpu
        wrong = wrong_states(fake, daemon)
        if wrong == 0 or time.monotonic() > end:
            return used / EVENTS, wrong, daemon.smaps("RssAnon") - before


def flood_floor(fake):
    """CPU seconds an event of a bare loop that reads the stream and writes the files at each start."""
    loop = subprocess.Popen([TOOL, "floor", fake.socket, f"{MEM}/{PARENT}", MEM_FILE, str(96 << 20),
                             f"{CPU}/{PARENT}", CPU_FILE, cpu_value(9)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        burst(fake)
        time.sleep(2)
        with open(f"/proc/{loop.pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e9 / EVENTS
    finally:
        loop.kill()
        loop.wait()


def measure(fake, n):
    """All figures of one size. Return: seconds of a reload, and of the bare loop."""
    d = Daemon(fake.url, policy(96, 9))
    try:
        ours, floor = reload_time(fake, d)
        goal = n == 1000
        figure(f"reload of {n}", f"{ours * 1e3:.1f} ms, bare C loop {floor * 1e3:.1f} ms, ratio "
               f"{ours / floor:.2f}" + (", goal at most 3" if goal else ""), ours <= 3 * floor if goal else None)
        anon = d.smaps("RssAnon")
        figure(f"memory with {n}", f"RssAnon {anon / 2**20:.2f} MiB"
               + (f", cAdvisor with 200 92 MiB, ratio {anon / 92 / 2**20:.2f}, goal at most 10 MiB" if goal else ""),
               anon <= 10 << 20 if goal else None)
        if not goal:
            return ours, floor
        cpu, wrong, grown = flood(fake, d)
    finally:
        d.stop()
    bare = flood_floor(fake)
    figure("flood", f"{EVENTS} events, {cpu * 1e6:.0f} us CPU each, bare C loop {bare * 1e6:.0f} us, ratio "
           f"{cpu / bare:.1f}; {wrong} end states wrong, RssAnon {grown / 2**20:+.2f} MiB, goal at most 3, none wrong "
           "and at most +8 MiB", cpu <= 3 * bare and wrong == 0 and grown < 8 << 20)
    return ours, floor


def main():
    each, bare = {}, {}
    for n in SIZES:
        fake = Fake(n)
        try:
            each[n], bare[n] = (seconds / n for seconds in measure(fake, n))
        finally:
            fake.stop()
    if 1000 in each and 5000 in each:
        growth, kernel = each[5000] / each[1000], bare[5000] / bare[1000]
        goal = 1.5 * max(1, kernel)
        figure("growth", f"{each[5000] * 1e6:.1f} us a container with 5,000, {each[1000] * 1e6:.1f} us with 1,000, "
               f"ratio {growth:.2f}, bare C loop {kernel:.2f}, goal at most {goal:.2f}", growth <= goal)
    finish()


main()
