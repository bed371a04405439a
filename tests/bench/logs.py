#!/usr/bin/env python3
"""What a rotation costs: one log of 1 GiB in a warm cache, against one pass of zstd over the same file
(the floor) and against logrotate with copytruncate and zstd (the peer, which loses lines); what a
writer at full speed waits; memory of plimsolld and its watchdog's pings while a log of many GiB is
rotated; lines lost of ten million; what the end of a long archive costs to read.

usage: logs.py [--mib MIB] [--big-gib GIB] [--lines LINES] [pass|stalls|memory|lost|read]...

goals: wall and CPU at most 1.15 x the floor and at most half of the peer; of the longest wait in each
rotation 10 ms at the 99th percentile, on ext4; RssAnon growth under 16 MiB, no ping missed; 0 lines lost;
plimsollctl logs --since 10 s and --tail 100 of --big-gib of archived text at most 3 x zstd of one frame.
"""
import argparse
import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from bench_lib import BUILD, ROOT, Daemon, Engine, figure, finish

HARNESS = os.path.join(BUILD, "tests", "support", "rotate-harness")
MOUNTS = os.path.join(ROOT, "tests", "support", "mounts.sh")
ID = "0123456789abcdef" * 4


def timed(*command):
    """Wall and CPU seconds of a command with its children; its output."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = p.communicate()[0]
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode:
        raise RuntimeError(f"{command}: {p.returncode}: {out}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


def warm(path):
    with open(path, "rb") as f:
        while f.read(1 << 20):
            pass


def write_records(path, mib):
    """Appends records whose text is like a web server's."""
    chunk, n = [], 0
    for i in range(20000):
        h = (i * 2654435761) & 0xFFFFFFFF
        text = (f"10.0.{h >> 24}.{h >> 16 & 255} - - \\\"GET /api/v1/items/{h & 65535}?page={i % 97} HTTP/1.1\\\" "
                f"{200 if i % 13 else 404} {h % 9973} \\\"Mozilla/5.0 (X11; Linux x86_64)\\\" {h:08x}")
        chunk.append(f'{{"log":"{text}\\n","stream":"stdout","time":"2026-01-02T03:{i // 1000 % 60:02}:'
                     f'{i % 60:02}.{h % 10 ** 9:09}Z"}}\n')
    data = "".join(chunk).encode()
    with open(path, "ab") as f:
        while n < mib << 20:
            n += f.write(data)
    os.sync()


def make_log(directory, mib):
    path = f"{directory}/{ID}/{ID}-json.log"
    os.makedirs(os.path.dirname(path))
    write_records(path, mib)
    return path


def one_pass(work, mib):
    wall, cpu = [], []
    ours, peer = [], []
    for i in range(3):
        d = f"{work}/ours-{i}"
        path = make_log(d, mib)
        warm(path)
        w, c, _ = timed("zstd", "-3", "-q", "-f", "-o", f"{work}/floor.zst", path)
        wall.append(w)
        cpu.append(c)
        warm(path)
        w, c, out = timed(HARNESS, "rotate", d, "collapse", "20", "65536", "keep")
        if "error=0" not in out or "rotations=1" not in out:
            raise RuntimeError(out)
        ours.append((w, c))
        ratio = int(re.search(r"raw=(\d+)", out)[1]) / sum(
            e.stat().st_size for e in os.scandir(f"{d}/archive/test"))
        floor_ratio = (mib << 20) / os.stat(f"{work}/floor.zst").st_size
        shutil.rmtree(d)
        path = make_log(d, mib)
        warm(path)
        with open(f"{work}/logrotate.conf", "w") as f:
            f.write(f"{path} {{\n  su root root\n  copytruncate\n  compress\n  compresscmd /usr/bin/zstd\n"
                    "  compressext .zst\n  compressoptions -3\n  rotate 1\n  size 1\n}\n")
        os.chmod(f"{work}/logrotate.conf", 0o644)
        peer.append(timed("logrotate", "-f", "-s", f"{work}/logrotate.state", f"{work}/logrotate.conf")[:2])
        shutil.rmtree(d)
    f = sorted(wall)[1], sorted(cpu)[1]
    o = sorted(x[0] for x in ours)[1], sorted(x[1] for x in ours)[1]
    for i, what in enumerate(("wall", "CPU")):
        figure(f"{mib} MiB, {what}", f"{o[i]:.2f} s, zstd -3 alone {f[i]:.2f} s, ratio {o[i] / f[i]:.2f}, "
               "goal at most 1.15", o[i] <= 1.15 * f[i])
        p = sorted(x[i] for x in peer)[1]
        figure(f"{mib} MiB, {what}, peer", f"{o[i]:.2f} s, logrotate copytruncate {p:.2f} s, ratio "
               f"{o[i] / p:.2f}, goal at most 0.5", o[i] <= p / 2)
    figure("compression", f"{ratio:.1f} to 1, zstd -3 alone {floor_ratio:.1f} to 1")


def waits(d, method, engine, lines, pace):
    """Of each rotation the longest that one write() took: how many, and percentiles over them."""
    os.mkdir(d)
    out = timed(HARNESS, "stall", d, method, engine, str(lines), str(10 << 20), str(pace))[2].strip()
    shutil.rmtree(d)
    return out, int(re.search(r"rotations=(\d+)", out)[1]), float(re.search(r"p99_msec=([\d.]+)", out)[1])


def stalls(work):
    # resting between lines, at two rates that an archive can follow, and as fast as it can; who outruns the
    # archive gets few and huge rotations, and the longest wait of all stands for the percentile
    for fs, engine, lines, pace, goal in (("ext4", "20", 8000000, 300, 10), ("ext4", "20", 6000000, 1000, 10),
                                          ("ext4", "20", 8000000, 0, 10), ("ext4", "26", 8000000, 300, 10),
                                          ("ext4", "26", 6000000, 1000, 10), ("ext4", "26", 8000000, 0, 10),
                                          ("xfs", "26", 3000000, 300, None), ("btrfs", "26", 3000000, 300, None)):
        d = f"{work}/fs"
        subprocess.run([MOUNTS, "make", fs, d, "6000"], check=True)
        try:
            method = "punch" if (fs, engine) == ("ext4", "26") else "auto"  # which makes no hole unasked
            ours, n, p99 = waits(f"{d}/ours", method, engine, lines, pace)
            # what the machine itself makes of it: in as many lines without a rotation
            alone = waits(f"{d}/alone", "off", engine, 2000000, pace)[2]
            figure(f"writer's longest wait in each rotation, {fs}, engine {engine}",
                   f"{ours}, undisturbed p99_msec={alone}" + (f", goal at most {goal} ms at p99" if goal else ""),
                   p99 <= goal and (n >= 100 or pace == 0) if goal else None)
        finally:
            subprocess.run([MOUNTS, "remove", d], check=True)


def pings(sock, ends, times):
    """Notes when plimsolld feeds its watchdog."""
    sock.settimeout(0.2)
    while not ends.is_set():
        try:
            if b"WATCHDOG=1" in sock.recv(4096):
                times.append(time.monotonic())
        except TimeoutError:
            pass


def memory(work, gib):
    watchdog_sec = 4
    engine = Engine()
    daemon = None
    ends, times, rss, answers = threading.Event(), [], [], []
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(f"{work}/notify")
    listener = threading.Thread(target=pings, args=(sock, ends, times))
    listener.start()
    try:
        cid = engine.create("big")
        engine.start(cid)
        path = engine.api("GET", f"/containers/{cid}/json")["LogPath"]
        write_records(path, int(gib * 1024))
        policy = f"[Daemon]\nEngine={engine.url}\nDryRun=no\nLogArchiveBudget=infinity\n[Defaults]\nLogMaxSize="
        daemon = Daemon(engine.url, policy + "infinity\n",
                        {"NOTIFY_SOCKET": f"{work}/notify", "WATCHDOG_USEC": str(watchdog_sec * 1000000)})
        time.sleep(1)
        rss.append(daemon.smaps("RssAnon"))
        start = time.monotonic()
        daemon.write_policy(policy + "10M\n")
        daemon.p.send_signal(1)
        while os.stat(path).st_size > 20 << 20:
            begin = time.monotonic()
            daemon.status()
            answers.append(time.monotonic() - begin)
            rss.append(daemon.smaps("RssAnon"))
            if begin - start > 600 or daemon.p.poll() is not None:
                raise RuntimeError(daemon.log_text()[-2000:])
            time.sleep(0.05)
        end = time.monotonic()
        times = [start] + [t for t in times if start < t < end] + [end]
    finally:
        ends.set()
        listener.join()
        if daemon:
            daemon.stop()
        engine.stop()
    grown, gap = (max(rss) - rss[0]) / (1 << 20), max(b - a for a, b in zip(times, times[1:]))
    figure(f"memory, {gib} GiB", f"RssAnon of plimsolld grows by {grown:.1f} MiB in {end - start:.0f} s, goal under 16 MiB",
           grown < 16)
    figure(f"watchdog, {gib} GiB", f"fed {len(times) - 2} times, at most {gap:.2f} s apart, goal under {watchdog_sec} s; "
           f"a status request takes at most {max(answers) * 1000:.0f} ms", gap < watchdog_sec)


def lost(work, lines):
    d = f"{work}/lost"
    os.makedirs(d)
    out = timed(HARNESS, "run", d, "auto", "20", str(lines), str(10 << 20), "1", "0")[2]
    shutil.rmtree(d)
    counts = re.findall(r"(\d+) lost, (\d+) doubled, (\d+) damaged", out)
    figure(f"lines lost of {lines}", f"{counts[0][0]}, twice {counts[0][1]}, damaged {counts[0][2]}; "
           + out.splitlines()[0].split(": ", 1)[1], all(c == ("0", "0", "0") for c in counts))


CTL = os.path.join(BUILD, "daemon", "plimsollctl")


def cheapest(commands):
    """Of each command the CPU seconds of the cheapest of 15 runs, in turn, and how many bytes it printed.
    What they read is in the cache, so that on a machine without other work they take no longer."""
    best = [(float("inf"), 0)] * len(commands)
    for _ in range(15):
        for i, command in enumerate(commands):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best[i] = min(best[i], (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(out)))
    return best


def minute_of_records(minute):
    """10 MiB whose times are those of one minute."""
    when = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(1767323040 + minute * 60)).encode()
    return b"".join(t.replace(b"@", when + b":%02d" % s) for s, t in enumerate(STRETCHES))


def make_stretches(work):
    """A minute's records, a second each, with '@' for the time to the second."""
    write_records(f"{work}/text", 10)
    with open(f"{work}/text", "rb") as f:
        lines = re.sub(rb'"time":"[^.]*', b'"time":"@', f.read()).splitlines(keepends=True)
    return [b"".join(lines[s * len(lines) // 60:(s + 1) * len(lines) // 60]) for s in range(60)]


def read(work, gib):
    STRETCHES[:] = make_stretches(work)
    d, n = f"{work}/read", max(int(gib * 102.4), 2)
    path = make_log(d, 0)
    for minute in range(n):
        with open(path, "ab") as f:
            f.write(minute_of_records(minute))
        if "error=0" not in timed(HARNESS, "rotate", d, "collapse", "20", "65536", "keep")[2]:
            raise RuntimeError("rotation failed")
    archives = sorted(e.path for e in os.scandir(f"{d}/archive/test"))
    # the first frame of an archive, alone
    with open(archives[-1], "rb") as f:
        data = f.read()
    table = data[-9 - 8 * int.from_bytes(data[-9:-5], "little"):-9]
    with open(f"{work}/frame.zst", "wb") as f:
        f.write(data[:int.from_bytes(table[:4], "little")])
    last = time.strftime("%Y-%m-%dT%H:%M:50Z", time.gmtime(1767323040 + (n - 1) * 60))
    middle = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(1767323040 + n // 2 * 60))
    asked = {"--tail 100": ("--tail", "100"), "the last 10 s": ("--since", last),
             "10 s in the middle": ("--since", middle + "20Z", "--until", middle + "30Z")}
    (floor, size), *took = cheapest([("zstd", "-dcq", f"{work}/frame.zst")] + [
        (CTL, "logs", "--archive", f"{d}/archive", *options, ID) for options in asked.values()])
    for what, (sec, printed) in zip(asked, took):
        figure(f"{what} of {len(archives)} archives, {gib} GiB of text",
               f"{sec * 1000:.1f} ms of CPU for {printed} bytes, zstd of one frame of {size} bytes {floor * 1000:.1f} ms, "
               f"ratio {sec / floor:.2f}" + (", goal at most 3" if "middle" not in what else ""),
               sec <= 3 * floor if "middle" not in what else None)


STRETCHES = []


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--mib", type=int, default=1024)
    a.add_argument("--big-gib", type=float, default=10)
    a.add_argument("--lines", type=int, default=10_000_000)
    a.add_argument("part", nargs="*", help="pass, stalls, memory, lost, read; all when none is named")
    a = a.parse_args()
    work = tempfile.mkdtemp(prefix="plimsoll-bench-logs-", dir="/var/tmp")
    parts = {"pass": lambda: one_pass(work, a.mib), "stalls": lambda: stalls(work),
             "memory": lambda: memory(work, a.big_gib), "lost": lambda: lost(work, a.lines),
             "read": lambda: read(work, a.big_gib)}
    try:
        for part in a.part or parts:
            parts[part]()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    finish()


main()
