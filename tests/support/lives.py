#!/usr/bin/env python3
"""lives.py ENGINE-DIR BUILD-DIR WORK-DIR LIVES [FIRST]: plays random lives of containers between their
owners on a real engine.

tests/unit/test-owners makes the lives and plays them in its model of the world first: it prints what
persons do in each step, and what has to come of it. Here persons do it to real containers with a real
plimsolld, and the kernel's own files, the engine's answers and the journal are compared with what the
model says. Twenty lives at a time share an engine and a plimsolld, and what happens to these: kill -9,
and reboots, in which engine and containers die, and plimsolld's run directory is emptied.

The last line says how many lives were played. Exit status 1: something was otherwise; it is printed, with
the seed of the life."""
import concurrent.futures
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

SUPPORT = os.path.dirname(os.path.abspath(__file__))
IMAGE = "plimsoll/busybox:1"
IS_V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
BATCH = 20
# Against hanging; a machine with other work is given time. What must be fast is measured elsewhere.
PATIENCE_SEC = 60
# What holds so many times in a row, a tenth of a second apart, is not on its way to something else.
HOLDS = 5


class Wrong(Exception):
    """Something is not as the model says."""


class Engine:
    def __init__(self, directory):
        self.directory = directory
        self.socket = directory + "/docker.sock"

    def run(self, command):
        subprocess.run([SUPPORT + "/engine.sh", command, self.directory], check=True, stdout=subprocess.DEVNULL)

    def netns(self):
        return subprocess.run([SUPPORT + "/engine.sh", "netns", self.directory], check=True, capture_output=True,
                              text=True).stdout.strip()

    def ask(self, method, path, body=None):
        """Return: (status, answer)."""
        connection = http.client.HTTPConnection("engine", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(60)
        connection.sock.connect(self.socket)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(data) if data else None
        except ValueError:
            return answer.status, data.decode(errors="replace")


class Daemon:
    def __init__(self, build, work, netns):
        self.work, self.process = work, None
        self.command = ["nsenter", "--net=" + netns, build + "/daemon/plimsolld", "--policy", work + "/plimsoll.conf",
                        "--control", work + "/control.sock", "--state", work + "/state", "--archive",
                        work + "/archive"]
        self.log = work + "/log"
        self.notify, self.ready = None, threading.Event()

    def begin(self):
        for name in ("state", "archive"):
            os.makedirs(self.work + "/" + name, exist_ok=True)
        path = self.work + "/notify"
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.ready.clear()
        threading.Thread(target=self.listen, args=(self.notify,), daemon=True).start()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "NOTIFY_SOCKET": path})
        self.wait_ready()

    def listen(self, notify):
        """As systemd does, always: whoever sends waits for a reader."""
        while True:
            try:
                words = notify.recv(65536).decode(errors="replace").split("\n")
            except OSError:
                return
            if "READY=1" in words:
                self.ready.set()

    def wait_ready(self):
        if not self.ready.wait(PATIENCE_SEC):
            raise SystemExit("plimsolld is not ready")

    def reload(self):
        self.ready.clear()
        self.process.send_signal(signal.SIGHUP)
        self.wait_ready()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.notify.shutdown(socket.SHUT_RDWR)
            self.notify.close()
        self.process = None

    def said(self, since):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(since)
            return log.read().splitlines()


class Life:
    def __init__(self, number, steps):
        self.number, self.steps = number, steps
        self.name = f"life-{number}"
        self.id, self.policy = None, ""
        self.has_bfq = any("IOWeight" in step["expect"] for step in steps)

    # --- persons ---

    def do(self, engine, act):
        kind = act["act"]
        if kind == "create":
            host = {k: v for k, v in act["host"].items() if v}
            host.update(NetworkMode="none", RestartPolicy={"Name": "no"})
            status, answer = engine.ask("POST", "/containers/create?name=" + self.name,
                                        {"Image": IMAGE, "Cmd": ["sleep", "100000"], "HostConfig": host})
            if status != 201:
                raise Wrong(f"create: {answer}")
            self.id = answer["Id"]
        elif kind == "start":
            self.expect(engine.ask("POST", f"/containers/{self.id}/start"), kind)
        elif kind == "stop":
            self.expect(engine.ask("POST", f"/containers/{self.id}/stop?t=0"), kind)
        elif kind == "remove":
            self.expect(engine.ask("DELETE", f"/containers/{self.id}?force=1"), kind)
        elif kind == "update":
            body = {k: v for k, v in act["host"].items() if v}
            status, answer = engine.ask("POST", f"/containers/{self.id}/update", body)
            if (status != 200) != act["refused"]:
                raise Wrong(f"update {body}: {status} {answer}; the model: {'refused' if act['refused'] else 'taken'}")
        elif kind == "write":
            self.write(engine, act)
        elif kind == "policy":
            self.policy = act["text"]

    @staticmethod
    def expect(answer, what):
        if answer[0] not in (200, 204, 304):
            raise Wrong(f"{what}: {answer}")

    def write(self, engine, act):
        refused = ""
        try:
            with open(f"{self.group(engine, act['controller'])}/{act['file']}", "w", encoding="ascii") as file:
                file.write(act["text"])
        except OSError as error:
            refused = str(error)
        if bool(refused) != act["refused"]:
            raise Wrong(f"{act['file']} < {act['text']}: {refused or 'taken'}; the model says otherwise")

    # --- the kernel's own words ---

    def pid(self, engine):
        if not self.id:
            return 0
        status, answer = engine.ask("GET", f"/containers/{self.id}/json")
        return answer["State"]["Pid"] if status == 200 else 0

    def group(self, engine, controller):
        with open(f"/proc/{self.pid(engine)}/cgroup", encoding="ascii") as file:
            for line in file.read().splitlines():
                _, names, path = line.split(":", 2)
                if IS_V2 and not names:
                    return "/sys/fs/cgroup" + path
                if not IS_V2 and controller in names.split(","):
                    return f"/sys/fs/cgroup/{controller}{path}"
        raise Wrong(f"no group in {controller}")

    def values(self, engine):
        """In the words of the model: see show() in tests/unit/owners-right.h."""
        def read(controller, file):
            with open(f"{self.group(engine, controller)}/{file}", encoding="ascii") as f:
                return f.read().strip()

        def number(text):
            return "max/0" if text in ("max", "-1") or int(text) >= 0x7ffffffffffff000 else text

        if IS_V2:
            quota, period = read("cpu", "cpu.max").split()
            found = {r: number(read("memory", f)) for r, f in (
                ("MemoryMin", "memory.min"), ("MemoryLow", "memory.low"), ("MemoryHigh", "memory.high"),
                ("MemoryMax", "memory.max"), ("MemorySwapMax", "memory.swap.max"))}
            found["CPUWeight"] = read("cpu", "cpu.weight")
            if self.has_bfq:
                found["IOWeight"] = read("io", "io.weight").split()[-1]
        else:
            quota, period = read("cpu", "cpu.cfs_quota_us"), read("cpu", "cpu.cfs_period_us")
            found = {r: number(read("memory", f)) for r, f in (
                ("MemoryLow", "memory.soft_limit_in_bytes"), ("MemoryMax", "memory.limit_in_bytes"),
                ("MemorySwapMax", "memory.memsw.limit_in_bytes"))}
            if found["MemorySwapMax"] != "max/0":
                found["MemorySwapMax"] = str(int(found["MemorySwapMax"]) - int(found["MemoryMax"]))
            found["CPUWeight"] = read("cpu", "cpu.shares")
            if self.has_bfq:
                found["IOWeight"] = read("blkio", "blkio.bfq.weight")
        found["CPUQuota"] = ("max" if quota in ("max", "-1") else quota) + "/" + period
        found["AllowedCPUs"] = '"' + read("cpuset", "cpuset.cpus") + '"'
        found["TasksMax"] = number(read("pids", "pids.max"))
        return found

    def differs(self, engine, step, state_dir):
        """Return: what is not as it has to be, "": nothing."""
        if not step["runs"]:
            return ""
        found = self.values(engine)
        wrong = [f"{r} is {found[r]}, not {' or '.join(dict.fromkeys(any_of))}"
                 for r, any_of in step["expect"].items() if found[r] not in any_of]
        try:
            with open(f"{state_dir}/containers/{self.id}", encoding="utf-8") as file:
                record = json.load(file)["managed"]
        except FileNotFoundError:
            record = []
        if bool(record) != step["record"]:
            wrong.append("no record of what was there before" if step["record"] else f"a record is left of {record}")
        return "; ".join(wrong)


class Play:
    def __init__(self, engine, build, work):
        self.engine, self.build, self.work = engine, build, work
        self.netns = engine.netns()
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=4)
        self.faults, self.faulty = 0, set()

    def has_bfq(self):
        """Do groups have a weight of I/O? That of the engine's parent tells."""
        parent = subprocess.run([SUPPORT + "/engine.sh", "cgroup", self.engine.directory], check=True,
                                capture_output=True, text=True).stdout.strip()
        return os.path.exists(f"/sys/fs/cgroup{parent}/io.weight" if IS_V2
                              else f"/sys/fs/cgroup/blkio{parent}/blkio.bfq.weight")

    def script(self, first, lives):
        program = self.build + "/tests/unit/test-owners"
        host = f"{'v2' if IS_V2 else 'v1'} {os.cpu_count()}" + (" bfq" if self.has_bfq() else "")
        out = subprocess.run([program], env={**os.environ, "PLIMSOLL_SCRIPT": host, "PLIMSOLL_SEED": str(first),
                                             "PLIMSOLL_LIVES": str(lives)}, capture_output=True, text=True, check=False)
        if out.returncode != 0:
            print(out.stdout[-4000:])
            raise SystemExit("the lives fail in the model already")
        steps = {}
        for line in out.stdout.splitlines():
            if line.startswith("{"):
                step = json.loads(line)
                steps.setdefault(step["life"], []).append(step)
        return [Life(number, s) for number, s in sorted(steps.items())]

    def fault(self, life, step, text):
        self.faults += 1
        self.faulty.add(life.name + ":")
        print(f"life {life.number}, step {step['step']}: {text}")
        print("    " + json.dumps({"shared": step["shared"], "acts": step["acts"]}))

    def write_policy(self, lives):
        text = f"[Daemon]\nEngine=unix://{self.engine.socket}\nDryRun=no\n"
        for life in lives:
            if life.policy:
                text += f"[Service {life.name}]\nMatch=name:{life.name}\n{life.policy}"
        with open(self.work + "/plimsoll.conf.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.work + "/plimsoll.conf.new", self.work + "/plimsoll.conf")

    def all(self, lives, function):
        """For each life at a time with others; what is wrong is said. Return: those that are well."""
        def one(life):
            try:
                function(life)
                return None
            except (Wrong, OSError, http.client.HTTPException) as error:
                return str(error) or repr(error)

        well = []
        for life, wrong in zip(lives, self.pool.map(one, lives)):
            if wrong:
                self.fault(life, life.steps[self.step], wrong)
            else:
                well.append(life)
        return well

    def reboot(self, lives, daemon, is_first):
        pids = [life.pid(self.engine) for life in lives]
        daemon.kill()
        self.engine.run("kill")
        for pid in pids:
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if os.path.exists(self.work + "/control.sock"):
            os.unlink(self.work + "/control.sock")
        if is_first:
            daemon.begin()
        self.engine.run("up")

    def one_step(self, lives, daemon):
        """Return: lives that go on."""
        shared = lives[0].steps[self.step]["shared"]
        since = os.path.getsize(daemon.log) if os.path.exists(daemon.log) else 0
        policies = {life: life.policy for life in lives}
        if shared.startswith("reboot"):
            self.reboot(lives, daemon, shared.endswith("first"))
        elif shared == "kill -9":
            daemon.kill()

        def acts(life):
            for act in life.steps[self.step]["acts"]:
                life.do(self.engine, act)

        def policy(life):
            for act in life.steps[self.step]["acts"]:
                if act["act"] == "policy":
                    life.do(self.engine, act)

        self.all(lives, policy)
        self.write_policy(lives)
        if daemon.process and any(policies[life] != life.policy for life in lives):
            daemon.reload()
        lives = self.all(lives, acts)
        if not daemon.process:
            daemon.begin()
        lives = self.settle(lives, daemon)
        said = daemon.said(since)
        for life in lives:
            if not life.steps[self.step]["others"]:
                for line in said:
                    if line.startswith(life.name + ": ") and ("limits changed by" in line or "stand-off:" in line):
                        self.fault(life, life.steps[self.step], "blames somebody for nothing: " + line)
        return lives

    def settle(self, lives, daemon):
        deadline, held = time.monotonic() + PATIENCE_SEC, 0
        while held < HOLDS:
            wrong = {}
            for life in lives:
                try:
                    text = life.differs(self.engine, life.steps[self.step], daemon.work + "/state")
                except (Wrong, OSError) as error:
                    text = str(error)
                if text:
                    wrong[life] = text
            held = 0 if wrong else held + 1
            if time.monotonic() > deadline:
                for life, text in wrong.items():
                    self.fault(life, life.steps[self.step], text)
                return [life for life in lives if life not in wrong]
            time.sleep(0.1)
        return lives

    def batch(self, lives):
        """Return: how many lives were played to the end."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        everyone, daemon = lives, Daemon(self.build, self.work, self.netns)
        try:
            for self.step in range(max(len(life.steps) for life in lives)):
                lives = [life for life in lives if self.step < len(life.steps)]
                lives = self.one_step(lives, daemon) if lives else []
                if not lives:
                    break
        finally:
            daemon.kill()
            if self.faults:
                print("what plimsolld said of them, and of itself:")
                print("\n".join("    " + line for line in daemon.said(0)
                                if not line.startswith("life-") or line.split(" ")[0] in self.faulty))
            for life in everyone:
                if life.id:
                    self.engine.ask("DELETE", f"/containers/{life.id}?force=1")
        return len(lives)


def main():
    engine_dir, build, work, n = sys.argv[1:5]
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    play = Play(Engine(engine_dir), build, work)
    lives = play.script(first, int(n))
    played = 0
    for i in range(0, len(lives), BATCH):
        played += play.batch(lives[i:i + BATCH])
        if play.faults:
            break
    print(f"{played} of {n} lives played on a real engine, {play.faults} faults")
    return 0 if play.faults == 0 and played == int(n) else 1


if __name__ == "__main__":
    sys.exit(main())
