#!/usr/bin/env python3
"""What kernel and engine say of containers' limits, for comparing them before and after.

limits.py kernel  <INSPECT   "NAME CONTROLLER/FILE: CONTENT" of every file of the container's groups
                             that can be written and tells no state, sorted. On v2 the list of CPUs
                             that the group above has is as good as none: the kernel takes no empty
                             one from a group with tasks
limits.py engine  <INSPECT   "NAME FIELD: VALUE" of HostConfig, where ways to say "none" are one:
                             0, -1, null, the largest number, the weight of everybody else, all CPUs'
                             list, systemd's default for tasks (DEFAULT_TASKS_MAX)
limits.py differ A B         names of the lines that are in one file only: "NAME WHAT", each once

INSPECT: the output of docker inspect NAME...
"""
import json
import os
import re
import sys

# what is no setting: members, counters, triggers
STATE = re.compile(r"(^|\.)(procs|tasks|threads|event_control|usage.*|max_usage.*|failcnt|force_empty|reset_stats"
                   r"|stat.*|pressure.*|peak|events.*|reclaim|kill|freeze|state)$|max_usage_in_bytes|usage_in_bytes"
                   r"|failcnt|pressure|notify_on_release|clone_children|devices\.(allow|deny)")
FIELDS = ["Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus",
          "PidsLimit", "BlkioWeight", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "RestartPolicy"]
LARGEST = 0x7FFFFFFFFFFF0000
# what runc makes of everybody's weight: cpu.shares on v1, cpu.weight 100 on v2
SHARES = 2598 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1024


def groups(pid):
    seen = set()
    with open(f"/proc/{pid}/cgroup") as f:
        for line in f:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            for c in controllers.split(","):
                for base in (["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] if not c else [f"/sys/fs/cgroup/{c}"]):
                    directory = base + path
                    if os.path.isdir(directory) and directory not in seen:
                        seen.add(directory)
                        yield c or "unified", directory


def content(path):
    try:
        with open(path) as f:
            return f.read().strip().replace("\n", "; ")
    except OSError:
        return None


def kernel(container):
    for controller, directory in groups(container["State"]["Pid"]):
        for name in sorted(os.listdir(directory)):
            path = f"{directory}/{name}"
            if not os.path.isfile(path) or not os.stat(path).st_mode & 0o200 or STATE.search(name):
                continue
            text = content(path)
            if text is None:
                continue
            if name == "cpuset.cpus" and text == content(f"{directory}/../cpuset.cpus.effective"):
                text = ""
            yield f"{controller}/{name}: {text}"


def canonical(field, value):
    if field == "CpusetCpus":
        return "" if value == f"0-{os.cpu_count() - 1}" else value
    if isinstance(value, (int, type(None))):
        value = value or 0
        if value < 0 or value >= LARGEST or (field == "CpuShares" and value == SHARES):
            return 0
        if field == "PidsLimit" and str(value) == os.environ.get("DEFAULT_TASKS_MAX"):
            return 0
    return value


def engine(container):
    for field in FIELDS:
        value = canonical(field, container["HostConfig"].get(field))
        yield f"{field}: {json.dumps(value, sort_keys=True)}"


def differ(a, b):
    lines = [set(open(f).read().splitlines()) for f in (a, b)]
    for what in sorted({line.split(": ", 1)[0] for line in lines[0] ^ lines[1]}):
        print(what)


def main():
    if sys.argv[1] == "differ":
        return differ(sys.argv[2], sys.argv[3])
    for container in sorted(json.load(sys.stdin), key=lambda c: c["Name"]):
        for line in {"kernel": kernel, "engine": engine}[sys.argv[1]](container):
            print(container["Name"].lstrip("/"), line)


if __name__ == "__main__":
    main()
