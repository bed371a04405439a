"""What the benchmarks share: a private engine, plimsolld on it, figures printed one per line.

Each benchmark prints "NAME: OURS UNIT (FLOOR OR PEER UNIT), ratio R, goal G: met|MISSED" and exits
1 when a goal is missed. Ratios are taken within one run: absolute times differ between machines.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("PLIMSOLL_BUILD", os.path.join(ROOT, "build", "gcc"))
DAEMON = os.path.join(BUILD, "daemon", "plimsolld")
ENGINE = os.path.join(ROOT, "tests", "support", "engine.sh")

missed = []
# who ends a benchmark early gets its engine cleared away all the same
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def figure(name, text, ok=None):
    print(f"{name}: {text}" + ("" if ok is None else ": met" if ok else ": MISSED"), flush=True)
    if ok is False:
        missed.append(name)


def finish():
    if missed:
        print("missed: " + ", ".join(missed))
    sys.exit(1 if missed else 0)


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """The Engine API over one kept connection."""

    def __init__(self, path):
        self.c = UnixHTTP(path)

    def __call__(self, method, url, body=None):
        data = json.dumps(body) if body is not None else None
        self.c.request(method, url, data, {"Content-Type": "application/json"} if data else {})
        r = self.c.getresponse()
        text = r.read()
        if r.status >= 400:
            raise RuntimeError(f"{method} {url}: {r.status} {text[:300]!r}")
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text.decode(errors="replace")


class Engine:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="plimsoll-bench-", dir="/var/tmp")
        os.rmdir(self.dir)
        subprocess.run([ENGINE, "start", self.dir], check=True, stdin=subprocess.DEVNULL)
        self.socket = self.dir + "/docker.sock"
        self.url = "unix://" + self.socket
        self.api = Api(self.socket)
        self.parent = subprocess.run([ENGINE, "cgroup", self.dir], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout.strip().lstrip("/")
        self.import_busybox()

    def import_busybox(self):
        root = tempfile.mkdtemp()
        os.makedirs(root + "/bin")
        shutil.copy(shutil.which("busybox") or "/bin/busybox", root + "/bin/busybox")
        for a in ("sh", "sleep", "cat", "true", "head", "dd"):
            os.symlink("busybox", f"{root}/bin/{a}")
        tar = subprocess.run(["tar", "-C", root, "-c", "."], check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["docker", "-H", self.url, "import", "-", "bb:1"], input=tar, check=True,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(root)

    def create(self, name, cmd=("sleep", "1000"), **host):
        host = {"NetworkMode": "none", **host}
        return self.api("POST", f"/containers/create?name={name}",
                        {"Image": "bb:1", "Cmd": list(cmd), "HostConfig": host})["Id"]

    def start(self, cid):
        self.api("POST", f"/containers/{cid}/start")

    def remove(self, cid):
        self.api("DELETE", f"/containers/{cid}?force=1")

    def stop(self):
        subprocess.run([ENGINE, "stop", self.dir], check=False, stdin=subprocess.DEVNULL)


class Daemon:
    def __init__(self, url, policy, env=None, extra=(), wrapper=()):
        self.dir = tempfile.mkdtemp(prefix="plimsoll-bench-d-")
        self.policy = self.dir + "/plimsoll.conf"
        self.write_policy(policy)
        self.control = self.dir + "/control.sock"
        self.log = open(self.dir + "/log", "w+")
        self.p = subprocess.Popen(
            [*wrapper, DAEMON, "--policy", self.policy, "--engine", url, "--control", self.control,
             "--state", self.dir + "/state", "--archive", self.dir + "/archive", *extra],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **(env or {})})
        self.wait_log("Ready")

    def write_policy(self, text):
        with open(self.policy, "w") as f:
            f.write(text)

    def log_text(self):
        with open(self.dir + "/log") as f:
            return f.read()

    def wait_log(self, word, timeout=60, after=0):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if word in self.log_text()[after:]:
                return
            if self.p.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"plimsolld did not say {word!r}:\n{self.log_text()[-3000:]}")

    def status(self):
        return Api(self.control)("GET", "/v1/status")

    def smaps(self, key):
        with open(f"/proc/{self.p.pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
        return 0

    def cpu_sec(self):
        with open(f"/proc/{self.p.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_idle(self, timeout=120):
        """Until it has used no CPU for a second."""
        end, last = time.monotonic() + timeout, -1.0
        while time.monotonic() < end and self.cpu_sec() != last:
            last = self.cpu_sec()
            time.sleep(1)

    def stop(self):
        self.p.terminate()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def hierarchy(controller):
    """Where a controller is mounted, and its file names for memory and cpu limits."""
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ")
            kind, _, options = right.split()[:3]
            if kind == "cgroup" and controller in options.split(","):
                return left.split()[4], 1
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ")
            if right.split()[0] == "cgroup2":
                return left.split()[4], 2
    raise RuntimeError("no cgroups")


def median(values):
    values = sorted(values)
    return values[len(values) // 2] if values else float("nan")
