#!/usr/bin/env python3
"""What network probes cost plimsolld, and what Docker's own healthchecks cost the engine.

usage: probes.py [CONTAINERS]      (default 100)

Real containers, each with a Redis server and an HTTP service, probed every 10 s.

  share    CPU of plimsolld, half of them probed by Redis, half by HTTP. goal: under 0.2 % of a core
  redis    CPU of one probe beside a bare C loop's that asks the same containers without a pause
  http     the same
  docker   CPU of one exec healthcheck at the same interval: of dockerd, containerd, the shims, runc
           and the check itself, above what they use without any; and its ratio to a probe of ours
"""
import concurrent.futures
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time

from bench_lib import BUILD, ENGINE, ROOT, Api, Daemon, Engine, figure, finish

N = int(sys.argv[1]) if len(sys.argv) > 1 else 100
CHECKED = 20  # containers with a healthcheck: a hundred would measure a busy machine
FLOOR = os.path.join(BUILD, "tests", "bench", "probe-floor")
IMAGES = os.path.join(ROOT, "tests", "support", "images.sh")
CACHE = os.environ.get("PLIMSOLL_IMAGES", os.path.join(ROOT, "build", "images"))
SERVE = "redis-server --protected-mode no --save '' --daemonize yes >/dev/null; exec /standin grafana"
TICKS = os.sysconf("SC_CLK_TCK")


class Stack(Engine):
    """N containers, each a Redis server and a Grafana stand-in."""

    def __init__(self):
        super().__init__()
        subprocess.run([IMAGES, "build", CACHE], check=True, stdin=subprocess.DEVNULL)
        subprocess.run([IMAGES, "load", CACHE, self.socket, "redis", "grafana"], check=True,
                       stdin=subprocess.DEVNULL)
        self.standin = tempfile.mkdtemp(prefix="plimsoll-bench-i-")
        cid = self.api("POST", "/containers/create", {"Image": "grafana/grafana:standin"})["Id"]
        subprocess.run(["docker", "-H", self.url, "cp", f"{cid}:/standin", self.standin], check=True,
                       stdout=subprocess.DEVNULL)
        self.remove(cid)

    def serve(self, name, **config):
        api = Api(self.socket)
        cid = api("POST", f"/containers/create?name={name}", {
            "Image": "redis:debian", "Cmd": ["sh", "-c", SERVE], **config,
            "HostConfig": {"Binds": [f"{self.standin}/standin:/standin:ro"],
                           "LogConfig": {"Type": "none"}}})["Id"]
        api("POST", f"/containers/{cid}/start")
        return cid

    def serve_all(self, prefix, n, **config):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            return list(pool.map(lambda i: self.serve(f"{prefix}{i}", **config), range(n)))

    def inspect(self, cid):
        return self.api("GET", f"/containers/{cid}/json")

    def addresses(self):
        return [self.inspect(c["Id"])["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
                for c in self.api("GET", "/containers/json")]

    def wrapper(self):
        """Containers have addresses in the engine's network namespace only."""
        path = subprocess.run([ENGINE, "netns", self.dir], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()
        return ["nsenter", f"--net={path}"]

    def cpu_sec(self):
        """Of dockerd, containerd and the shims, and of what they have started and waited for: runc,
        and the checks, which end as children of their shim."""
        total = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    command = f.read()
                with open(f"/proc/{pid}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue  # it has ended
            if self.dir + "/exec" in command and ("dockerd" in command or "containerd" in command):
                total += sum(int(x) for x in fields[11:15])
        return total / TICKS

    def stop(self):
        super().stop()
        subprocess.run(["rm", "-rf", self.standin], check=False)


def policy(*sections):
    """Each: which names, which probe."""
    return "".join(f"[Service s{i}]\nMatch=name:{match}\nProbe={kind}\n"
                   for i, (match, kind) in enumerate(sections))


def connections(pid):
    """How many TCP connections were begun in its network namespace, by it alone."""
    with open(f"/proc/{pid}/net/snmp") as f:
        names, values = [line.split() for line in f if line.startswith("Tcp:")]
    return int(values[names.index("ActiveOpens")])


def cpu_nsec(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0])


def measure(daemon, seconds):
    """Share of a core, number of probes, milliseconds of CPU each."""
    end = time.monotonic() + 60
    while any(c["health"] != "healthy" for c in daemon.status()["containers"]):
        if time.monotonic() > end:
            raise RuntimeError("not all are healthy")
        time.sleep(1)
    time.sleep(11)  # the rounds a second apart are over, and those begun meanwhile
    begin, cpu, n = time.monotonic(), cpu_nsec(daemon.p.pid), connections(daemon.p.pid)
    time.sleep(seconds)
    cpu, n = cpu_nsec(daemon.p.pid) - cpu, connections(daemon.p.pid) - n
    return cpu / 1e9 / (time.monotonic() - begin), n, cpu / 1e6 / max(n, 1)


def plimsolld(stack):
    mixed = policy(("c*[02468]", "redis"), ("c*", "grafana"))
    daemon = Daemon(stack.url, mixed, wrapper=stack.wrapper())
    try:
        share, n, each = measure(daemon, 40)
        figure("share", f"{share * 100:.3f} % of a core for {N} containers every 10 s ({n} probes of "
               f"{each:.3f} ms in 40 s), goal under 0.2 %", share < 0.002 if N == 100 else None)
        costs = {}
        for name, kind in (("redis", "redis"), ("http", "grafana")):
            daemon.write_policy(policy(("c*", kind)))
            daemon.p.send_signal(signal.SIGHUP)
            costs[name] = measure(daemon, 30)[2]
    finally:
        daemon.stop()
    out = subprocess.run([*stack.wrapper(), FLOOR, "20", "6379", "3000", *stack.addresses()], check=True,
                         text=True, stdout=subprocess.PIPE).stdout.split()
    for name, floor in zip(out[::2], out[1::2]):
        figure(name, f"{costs[name]:.3f} ms CPU a probe, bare C loop {float(floor):.3f} ms, ratio "
               f"{costs[name] / float(floor):.2f}")
    return costs["redis"]


def when(text):
    """RFC 3339 with nanoseconds and any offset, as the engine writes it; to the second."""
    zone = text[-6:] if text[-6] in "+-" else "+00:00"
    return datetime.datetime.fromisoformat(text[:19] + zone).timestamp()


def docker(stack, ours):
    idle, begin = stack.cpu_sec(), time.monotonic()
    time.sleep(20)
    idle = (stack.cpu_sec() - idle) / (time.monotonic() - begin)
    ids = stack.serve_all("h", CHECKED, Healthcheck={
        "Test": ["CMD", "redis-cli", "ping"], "Interval": 10 * 10**9, "Timeout": 5 * 10**9})
    time.sleep(15)
    begin, cpu = time.time(), stack.cpu_sec()
    time.sleep(40)
    cpu, end = stack.cpu_sec() - cpu - idle * 40, time.time()
    # the engine keeps the last five of each
    n = sum(begin <= when(entry["Start"]) < end
            for cid in ids for entry in stack.inspect(cid)["State"]["Health"]["Log"])
    each = cpu / max(n, 1) * 1e3
    figure("docker", f"{each:.1f} ms CPU an exec healthcheck ({n} in 40 s), ratio to a probe {each / ours:.0f}; "
           f"{N} containers every 10 s: {each * N / 1e4 * 100:.1f} % of a core")


def main():
    stack = Stack()
    try:
        stack.serve_all("c", N)
        docker(stack, plimsolld(stack))
    finally:
        stack.stop()
    finish()


main()
