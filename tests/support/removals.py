#!/usr/bin/env python3
"""removals.py ENGINE-DIR BUILD-DIR WORK-DIR REMOVALS KILLS [SEED [native]]: containers that write at full speed are
removed and made again, while plimsolld is killed.

It is plimsolld's service manager as well: it keeps the descriptors that it is given and passes them to
the next process. What a container said is known from its log, which is held open here until the end. Each
line of those whose descriptor was kept, or that plimsolld looked after, must be in the archives once, in
order, to the last word; others are counted and named.

native: the engine rotates their logs itself; what its files hold at the end must be in the archives, but of
those beside whose life plimsolld was killed: nobody keeps these descriptors for it.

The last line says what was found. Exit status 1: a line is missing, twice, or at the wrong place, or
plimsolld has kept descriptors or memory."""
import array
import concurrent.futures
import fcntl
import glob
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import lives

LANES = 4
PATIENCE_SEC = 120
WORK_SEC = 5  # in which what a removed container has left is archived
NATIVE_FILES = 3
NATIVE = {"Type": "json-file", "Config": {"max-size": "1m", "max-file": str(NATIVE_FILES)}}
RECORD = re.compile(rb'\{"log":"(\d+)(\\n)?","stream"')
HEARD = b"heard"
FDS_MORE = 2 + LANES  # connections to the engine that it keeps for its next questions
RSS_MORE_KIB = 12 * 1024


class Manager:
    """As systemd with FileDescriptorStoreMax= and Restart=always."""

    def __init__(self, engine, build, work):
        self.work, self.log, self.archive = work, work + "/log", work + "/archive"
        self.command = ["nsenter", "--net=" + engine.netns(), build + "/daemon/plimsolld", "--policy",
                        work + "/plimsoll.conf", "--control", work + "/control.sock", "--state", work + "/state",
                        "--archive", self.archive]
        for name in ("state", "archive"):
            os.makedirs(work + "/" + name, exist_ok=True)
        self.store, self.lock = {}, threading.Lock()
        self.ready, self.process, self.ending = threading.Event(), None, False
        self.heard = threading.Event()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(work + "/notify")
        threading.Thread(target=self.listen, daemon=True).start()
        self.spawn()
        threading.Thread(target=self.watch, daemon=True).start()

    def listen(self):
        while True:
            data, control, _, _ = self.notify.recvmsg(65536, socket.CMSG_SPACE(16 * 4),
                                                             socket.MSG_CMSG_CLOEXEC)
            words = dict(w.split("=", 1) for w in data.decode(errors="replace").split("\n") if "=" in w)
            fds = array.array("i")
            for level, kind, cmsg in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(cmsg[:len(cmsg) - len(cmsg) % 4])
            if data == HEARD:
                self.heard.set()
            with self.lock:
                if "FDSTOREREMOVE" in words:
                    for fd in self.store.pop(words["FDNAME"], []):
                        os.close(fd)
                elif "FDSTORE" in words:
                    self.store.setdefault(words["FDNAME"], []).extend(fds)
            if "READY" in words:
                self.ready.set()

    def spawn(self):
        self.ready.clear()
        with self.lock:
            kept = [(name, fd) for name, fds in self.store.items() for fd in fds]

        def pass_on():
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 3 + len(kept)) for _, fd in kept]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
                os.close(fd)

        environment = {**os.environ, "NOTIFY_SOCKET": self.work + "/notify", "LISTEN_FDS": str(len(kept)),
                       "LISTEN_FDNAMES": ":".join(name for name, _ in kept)}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"] + self.command,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                            close_fds=False, preexec_fn=pass_on)

    def watch(self):
        while not self.ending:
            self.process.wait()
            if not self.ending:
                self.hear_all()
                self.spawn()

    def hear_all(self):
        """What a process has sent counts, though it has ended: systemd looks at that first, too."""
        self.heard.clear()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(HEARD, self.work + "/notify")
        self.heard.wait()

    def figures(self):
        """Return: (descriptors, KiB resident)."""
        pid = self.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            rss = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        return len(os.listdir(f"/proc/{pid}/fd")), rss

    def end(self):
        self.ending = True
        self.process.terminate()
        self.process.wait()


class Removal:
    def __init__(self, ident, held):
        self.id, self.held, self.said, self.first = ident, held, None, None
        self.begin, self.end = 0, 0


class Files:
    """The files of a log, held open as the engine makes them; the newest last."""

    def __init__(self, path):
        self.path, self.fds = path, [os.open(path, os.O_PATH)]
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        """Until the container's directory is gone."""
        while os.path.exists(os.path.dirname(self.path)):
            try:
                fd = os.open(self.path, os.O_PATH)
            except FileNotFoundError:
                continue  # it has just been renamed, or is being removed
            if os.path.samestat(os.fstat(fd), os.fstat(self.fds[-1])):
                os.close(fd)
                time.sleep(0.0005)
                continue
            self.fds.append(fd)
            if len(self.fds) > NATIVE_FILES:
                os.close(self.fds.pop(0))

    def end(self):
        """Return: the last records of the newest that has any, the number of the first record of all."""
        self.thread.join()
        found = []
        for fd in self.fds:
            readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
            head, last = RECORD.search(os.pread(readable, 4096, 0)), tail(readable)
            if head:
                found.append((int(head.group(1)), last))
            os.close(readable)
            os.close(fd)
        return (found[-1][1], found[0][0]) if found else ([], None)


def tail(fd):
    """The last two records of a log, as (number, whole line or not), the last one last."""
    size = os.fstat(fd).st_size
    return [(int(n), bool(end)) for n, end in RECORD.findall(os.pread(fd, 4096, max(0, size - 4096)))]


def remove_one(engine, manager, lane, rng, native):
    auto = rng.random() < 0.2
    begin = time.monotonic()
    body = {"Image": lives.IMAGE, "Cmd": ["seq", "1000000000"], "HostConfig": {"AutoRemove": auto}}
    if native:
        body["HostConfig"]["LogConfig"] = NATIVE
    status, answer = engine.ask("POST", f"/containers/create?name=writer-{lane}", body)
    if status != 201:
        raise SystemExit(f"create: {status} {answer}")
    ident = answer["Id"]
    status, answer = engine.ask("POST", f"/containers/{ident}/start")
    if status != 204:
        raise SystemExit(f"start: {status} {answer}")
    path = engine.ask("GET", f"/containers/{ident}/json")[1]["LogPath"]
    log = Files(path) if native else os.open(path, os.O_PATH)
    time.sleep(rng.uniform(0.02, 0.2))
    with manager.lock:
        held = any(name.startswith("log-" + ident) for name in manager.store)
    removal = Removal(ident, held)
    if rng.random() < 0.2 and not auto:
        engine.ask("POST", f"/containers/{ident}/stop?t=0")
    engine.ask("DELETE", f"/containers/{ident}?force=1&v=1")
    if native:
        removal.said, removal.first = log.end()
        removal.begin, removal.end = begin, time.monotonic()
        return removal
    while os.fstat(log).st_nlink > 0:
        time.sleep(0.01)
    readable = os.open(f"/proc/self/fd/{log}", os.O_RDONLY)
    removal.said = tail(readable)
    os.close(readable)
    os.close(log)
    return removal


def check(manager, removal):
    """Return: (lines, lost, doubled, in disorder)."""
    files = sorted(glob.glob(f"{manager.archive}/*/*@{removal.id[:12]}_*.log.zst"),
                   key=lambda f: int(re.search(r"_(\d+)_\d+T\d+Z_", f).group(1)))
    lines, doubled, disorder, last, final, gaps = 0, 0, 0, 0, None, 0
    for file in files:
        text = subprocess.run(["zstdcat", file], check=True, capture_output=True).stdout
        for number, end in RECORD.findall(text):
            final = (int(number), bool(end))
            if not end:
                continue
            n = final[0]
            lines += 1
            if removal.first is not None:
                gaps += max(0, n - last - 1) if last else max(0, n - removal.first)
            if n != last + 1 and (removal.first is None or last):
                doubled += n <= last
                disorder += n < last
            last = max(last, n)
    whole = [n for n, end in removal.said if end]
    missing = (whole[-1] if whole else 0) - (lines - doubled)
    if removal.first is not None:  # what the engine has thrown away is not asked for
        missing = gaps + max(0, whole[-1] - last if whole else 0)
    if not missing and removal.said and final != removal.said[-1]:
        missing = 1  # the last word
    return lines, missing, doubled, disorder


def settle(manager):
    """Until nothing is left to do: the last process has taken all up."""
    end = time.monotonic() + PATIENCE_SEC
    while time.monotonic() < end:
        with manager.lock:
            kept = len(manager.store)
        if kept == 0 and manager.ready.is_set() and not glob.glob(manager.archive + "/.state/[0-9a-f]*"):
            return
        time.sleep(0.05)
    raise SystemExit(f"not settled: {kept} descriptors kept")


def main():
    engine, build, work = lives.Engine(sys.argv[1]), sys.argv[2], sys.argv[3]
    removals, kills = int(sys.argv[4]), int(sys.argv[5])
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else random.randrange(1 << 30)
    native = sys.argv[7:] == ["native"]
    os.makedirs(work, exist_ok=True)
    with open(work + "/plimsoll.conf", "w", encoding="ascii") as policy:
        policy.write(f"[Daemon]\nEngine=unix://{engine.socket}\nLogArchiveBudget=infinity\n"
                     "[Service writers]\nMatch=name:writer-*\nLogMaxSize=256K\n")
    manager = Manager(engine, build, work)
    if not manager.ready.wait(PATIENCE_SEC):
        raise SystemExit("plimsolld is not ready")
    done, lock = [remove_one(engine, manager, LANES, random.Random(seed), native)], threading.Lock()
    settle(manager)
    before = manager.figures()
    killed, kills_at = [0], []

    def lane(number):
        rng = random.Random(seed * 1000 + number)
        while True:
            with lock:
                if len(done) >= removals:
                    return
                done.append(None)
                at = len(done) - 1
            done[at] = remove_one(engine, manager, number, rng, native)

    def killer():
        rng = random.Random(seed)
        while killed[0] < kills:
            due = (killed[0] + 1) * removals // (kills + 1)
            while len(done) < due:
                time.sleep(0.01)
            manager.ready.wait(rng.choice((0.0, 0.2, PATIENCE_SEC)))  # also one that has just come
            time.sleep(rng.uniform(0, 0.3))
            kills_at.append(time.monotonic())
            manager.process.send_signal(signal.SIGKILL)
            killed[0] += 1

    threading.Thread(target=killer, daemon=True).start()
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        for result in [pool.submit(lane, n) for n in range(LANES)]:
            result.result()
    settle(manager)
    after = manager.figures()
    totals, others, bad = [0, 0, 0, 0], [], False
    for removal in done:
        found = check(manager, removal)
        if native:
            removal.held = not any(removal.begin - WORK_SEC < k < removal.end + WORK_SEC for k in kills_at)
        if not removal.held and found[1]:
            others.append(f"{removal.id[:12]} ({found[1]} lines)")
            found = (found[0], 0) + found[2:]
        if any(found[1:]):
            print(f"{removal.id[:12]}: {found[0]} lines, {found[1]} lost, {found[2]} doubled, {found[3]} in disorder")
        totals = [a + b for a, b in zip(totals, found)]
    manager.end()
    if others:
        print("whose descriptor was not kept yet: " + ", ".join(others))
    bad = any(totals[1:]) or after[0] > before[0] + FDS_MORE or after[1] > before[1] + RSS_MORE_KIB
    print(f"seed {seed}: {removals} removals, {killed[0]} kills, {totals[0]} lines: {totals[1]} lost, "
          f"{totals[2]} doubled, {totals[3]} in disorder; {len(others)} others; descriptors {before[0]} to {after[0]}, "
          f"memory {before[1]} to {after[1]} KiB")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
