# SPDX-License-Identifier: Apache-2.0
"""A qemu machine: boot, run scripts in it, take and load snapshots, stop.

The disk is an overlay over an image that is never written, so a machine can always be begun anew.
It speaks to the guest's agent over a virtio console and to qemu over its human monitor.
"""

import base64
import os
import re
import socket
import subprocess
import tempfile
import time

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 2560
# What is dear to emulate and needed by nobody is left out: a fifth of the time, as measured.
EMULATED_CPU = ["-cpu", "max,-la57,-avx,-avx2,-smap,-smep"]
ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    # Emulated, with a clock that counts instructions: to a guest on a busy host time goes slowly and
    # not in leaps, so that what it measures and waits for stays true.
    "icount": ["-accel", "tcg,thread=single,tb-size=1024", "-icount", "shift=1,sleep=on",
               *EMULATED_CPU],
}
# of the host's time: generous, since all of this may run beside what is more urgent
BOOT_TIMEOUT_SEC = 900
ANSWER_TIMEOUT_SEC = 300


class Lost(Exception):
    """The guest did not answer in time, or is gone."""


def kvm_usable():
    """Does KVM really run a machine here? A device node proves nothing inside of containers."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    # mov dx,0x501; mov al,0x10; out dx,al: qemu exits with 0x10 << 1 | 1
    sector = bytes.fromhex("ba0105b010ee").ljust(510, b"\xf4") + b"\x55\xaa"
    with tempfile.NamedTemporaryFile() as f:
        f.write(sector)
        f.flush()
        try:
            r = subprocess.run(
                [QEMU, "-accel", "kvm", "-nodefaults", "-display", "none", "-no-reboot",
                 "-drive", f"file={f.name},format=raw,if=ide,readonly=on,snapshot=on",
                 "-device", "isa-debug-exit,iobase=0x501,iosize=1"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=15, check=False)
        except subprocess.TimeoutExpired:
            return False
    return r.returncode == 0x21


class Machine:
    def __init__(self, image_dir, work_dir, accel, append=""):
        self.image = image_dir
        self.dir = work_dir
        self.accel = accel
        self.append = append
        self.process = None
        self.agent = None
        self.pending = b""
        self.over = False

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, snapshot=None):
        """Boots, or goes on from a snapshot; returns when the guest answers."""
        if self.over:
            raise Lost("no machine is started any more")
        os.makedirs(self.dir, exist_ok=True)
        disk = self.path("disk.qcow2")
        if not snapshot:
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                            os.path.abspath(os.path.join(self.image, "disk.img")), disk], check=True)
        # sockets by relative names: their paths may be no longer than 107 bytes
        command = [
            QEMU, "-M", "q35", *ACCELERATORS[self.accel],
            "-smp", "2", "-m", str(MEMORY_MIB), "-display", "none", "-nodefaults",
            "-kernel", os.path.abspath(os.path.join(self.image, "vmlinuz")),
            "-initrd", os.path.abspath(os.path.join(self.image, "initrd")),
            "-append", "console=ttyS0 quiet panic=-1 systemd.show_status=0 mitigations=off "
                       "audit=0 net.ifnames=0 " + self.append,
            "-drive", "file=disk.qcow2,if=none,id=d0,cache=unsafe,discard=unmap",
            "-device", "virtio-blk-pci,drive=d0", "-device", "virtio-serial",
            "-chardev", "socket,id=c0,path=agent,server=on,wait=off",
            "-device", "virtconsole,chardev=c0", "-serial", "file:console",
            "-monitor", "unix:monitor,server=on,wait=off"]
        if snapshot:
            command += ["-loadvm", snapshot]
        for name in ("agent", "monitor"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        with open(self.path("qemu.log"), "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        self.agent = self.connect("agent")
        if snapshot:
            self.run("true")
        else:
            self.wait_ready(BOOT_TIMEOUT_SEC)

    def connect(self, name):
        deadline = time.monotonic() + BOOT_TIMEOUT_SEC
        # through the directory's descriptor: a path of its own may be too long for a socket
        here = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while True:
                s = socket.socket(socket.AF_UNIX)
                try:
                    s.connect(f"/proc/self/fd/{here}/{name}")
                    return s
                except OSError as e:
                    s.close()
                    if self.process.poll() is not None:
                        with open(self.path("qemu.log"), errors="replace", encoding="utf-8") as f:
                            raise Lost(f"qemu has ended: {f.read().strip()}") from e
                    if time.monotonic() > deadline:
                        raise Lost(f"qemu does not open its {name} socket") from e
                    time.sleep(0.05)
        finally:
            os.close(here)

    def read_line(self, deadline):
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Lost("the guest does not answer")
            self.agent.settimeout(left)
            try:
                data = self.agent.recv(1 << 16)
            except TimeoutError as e:
                raise Lost("the guest does not answer") from e
            if not data:
                raise Lost("qemu has ended")
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode("ascii", errors="replace").strip()

    def wait_ready(self, timeout):
        deadline = time.monotonic() + timeout
        while self.read_line(deadline) != "READY":
            pass

    def run(self, script, timeout=ANSWER_TIMEOUT_SEC):
        """Runs a bash script as root; its output and exit status."""
        self.agent.settimeout(60)
        self.agent.sendall(base64.b64encode(script.encode()) + b"\n")
        line = self.read_line(time.monotonic() + timeout)
        output, _, status = line.rpartition(" ")
        if not re.fullmatch(r"\d+", status):
            raise Lost(f"the agent answers nonsense: {line[:200]}")
        return base64.b64decode(output).decode(errors="replace"), int(status)

    def push(self, path, data, mode="644"):
        text = base64.b64encode(data).decode()
        out, status = self.run(f"mkdir -p \"$(dirname '{path}')\"\n"
                               f"base64 -d >'{path}' <<'E' && chmod {mode} '{path}'\n{text}\nE\n")
        if status:
            raise Lost(f"cannot write {path}: {out}")

    def monitor(self, command, timeout=180):
        s = self.connect("monitor")
        s.settimeout(timeout)
        text = b""
        for send in (None, command):
            if send:
                s.sendall(send.encode() + b"\n")
                text = b""
            while not text.endswith(b"(qemu) "):
                data = s.recv(4096)
                if not data:
                    break
                text += data
        s.close()
        # it echoes the command, with escapes for its line editor
        lines = text.decode(errors="replace").replace("\r", "").split("\n")[1:-1]
        return "\n".join(lines).strip()

    def save(self, name):
        out = self.monitor(f"savevm {name}")
        if out:
            raise Lost(f"savevm: {out}")

    def load(self, name):
        out = self.monitor(f"loadvm {name}")
        if out:
            raise Lost(f"loadvm: {out}")
        self.pending = b""
        self.run("true")

    def reboot(self):
        """A clean reboot; returns when the guest answers again."""
        self.agent.sendall(base64.b64encode(b"systemctl reboot; sleep 100") + b"\n")
        self.wait_ready(BOOT_TIMEOUT_SEC)

    def cpu_sec(self):
        """What the machine has taken of the host's CPUs; 0 when it is not there."""
        try:
            with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
                user, system = f.read().rpartition(")")[2].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        except (AttributeError, OSError):
            return 0

    def stop(self, for_good=False):
        """Ends qemu; for_good: whoever wants to start it again is told that it is Lost."""
        self.over = for_good
        if not self.process:
            return
        self.process.kill()
        self.process.wait()
        self.process = None
        if self.agent:
            self.agent.close()
