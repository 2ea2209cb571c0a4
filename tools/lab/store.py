# SPDX-License-Identifier: MIT
"""The cache: QEMU, kernels, DPDK, iPXE and the kernel's tests of VFIO from Debian, kept between runs.

    CACHE/tools          a root with QEMU, run by chroot; the QEMU of backports has vfio-user-pci
    CACHE/kernel-6.12    a kernel and its modules, unpacked and not installed
    CACHE/dpdk           a root for testpmd, likewise
    CACHE/ipxe           iPXE, likewise
    CACHE/selftests      the kernel's tests of VFIO, built here from its source package

Each is made under another name and renamed when it is whole, so an interrupted run leaves
nothing that looks usable. Remove the cache to have newer packages. The initramfs (busybox, the modules
for 9p, our init) is made at each run.

All is fetched before the lab enters its namespaces, where there is no network. So a scenario says
beforehand what it needs, and the store gives nothing else afterwards, even where the cache has it.
"""
import contextlib
import fcntl
import glob
import lzma
import os
import re
import shutil
import subprocess

QEMU = ("busybox-static", "qemu-system-x86")
# The suites that have the kernel; the last one is preferred.
KERNELS = {
    "6.1": ("bookworm",),
    "6.12": ("trixie",),
    "7.3": ("trixie", "trixie-backports"),
}
NEWEST = ("trixie", "trixie-backports")
# Debian 12's. EAL loads all drivers in its folder, so only those that the lab uses stay there.
DPDK_SUITE = "bookworm"
IPXE_SUITE = "trixie"
# The kernel whose tests of VFIO are built, and all that these need of its source.
SELFTESTS_KERNEL = "7.3"
SELFTESTS = "tools/testing/selftests"
SELFTESTS_PARTS = (f"{SELFTESTS}/vfio", f"{SELFTESTS}/lib.mk", f"{SELFTESTS}/kselftest*.h", "tools/include",
                   "tools/arch/x86/include", "include/linux/pci_ids.h", "drivers/dma/*.h",
                   "drivers/net/ethernet/intel/igb/*.h", "scripts/subarch.include")
# Part of each test program. The tests without a variant for each IOMMU mode take the default one, iommufd; the
# kernel may lack that, and no option chooses another.
SELFTESTS_MODE = """#include <stdlib.h>
extern const char *default_iommu_mode;
static void __attribute__((constructor)) choose_iommu_mode(void)
{
	const char *wanted = getenv("IXTAP_IOMMU_MODE");
	if (wanted) {
		default_iommu_mode = wanted;
	}
}
"""
DPDK_DRIVERS = ("bus_pci", "bus_vdev", "mempool_ring", "net_ixgbe", "net_tap", "net_virtio")
ROOM_BYTES = 1 << 30  # QEMU's root takes the most: about 700 MiB
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    """The user is told what failed, why, and what to do."""


class Unavailable(Failure):
    """The lab lacks something that it cannot have on this machine. Nothing was tested."""


def command(*words, **more):
    """Runs a command and returns its output. What it says is the reason of a failure."""
    try:
        done = subprocess.run(words, text=True, errors="backslashreplace", capture_output=True, check=False, **more)
    except FileNotFoundError:
        raise Failure(f"{words[0]} is not installed") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failure("\n  ".join([f"{' '.join(words)}: status {done.returncode}", *said[-8:]]))
    return done.stdout


def known_mirrors():
    text = command("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)",
                   "Created-By: Packages")
    return [uri for label, _, uri in (line.partition(" ") for line in text.splitlines())
            if label == "Debian"]


def mirror():
    """The Debian mirror that this machine's own apt uses."""
    uris = known_mirrors()
    if not uris:
        # apt knows which one is Debian's after its first update.
        with contextlib.suppress(Failure):
            command("apt-get", "update")
        uris = known_mirrors()
    if not uris:
        raise Unavailable("this machine's apt knows no Debian mirror: add one to "
                      "/etc/apt/sources.list.d and run 'apt-get update'")
    return uris[0]


def apt_options():
    """How this machine's apt reaches its mirror."""
    wanted = re.compile(r"^Acquire::(?:https?::Proxy\S*|Check-Valid-Until|Check-Date) \"")
    return [f"--aptopt={line}" for line in command("apt-config", "dump").splitlines()
            if wanted.match(line)]


def debian(variant, suites, packages, path):
    room = shutil.disk_usage(os.path.dirname(path)).free
    if room < ROOM_BYTES:
        raise Unavailable(f"the cache {os.path.dirname(path)}: {room >> 20} MiB are free and "
                          f"{ROOM_BYTES >> 20} are needed; name another with --cache")
    sources = [f"deb {mirror()} {suite} main" for suite in suites]
    try:
        command("mmdebstrap", f"--variant={variant}", *apt_options(),
                f"--aptopt=APT::Default-Release \"{suites[-1]}\"",
                f"--include={','.join(packages)}", suites[0], path, *sources,
                stdin=subprocess.DEVNULL)
    except Failure as failure:
        raise Unavailable(f"no {', '.join(packages)} from Debian's {' and '.join(suites)} "
                          f"(is the mirror reachable?):\n  {failure}") from None


class Kernel:
    def __init__(self, path, version):
        self.path = path
        # From Linux 7 on, the image is among the modules.
        found = [image for image in glob.glob(f"{path}/boot/vmlinuz-*")
                 + glob.glob(f"{path}/usr/lib/modules/*/vmlinuz")
                 if self.release_of(image).startswith(f"{version}.")]
        if len(found) != 1:
            raise Unavailable(f"the mirror's {KERNELS[version][-1]} has no kernel {version} any more")
        self.image = found[0]
        self.release = self.release_of(self.image)
        self.modules = os.path.join(path, "usr", "lib", "modules")

    @staticmethod
    def release_of(image):
        folder, name = os.path.split(image)
        return name.partition("-")[2] or os.path.basename(folder)

    def index(self):
        """Makes the index of dependencies, as installing the package would."""
        lib = os.path.join(self.path, "lib")
        if os.path.isdir(f"{lib}/modules") and not os.path.isdir(self.modules):
            os.makedirs(os.path.dirname(self.modules), exist_ok=True)
            os.rename(f"{lib}/modules", self.modules)
        shutil.rmtree(lib, ignore_errors=True)
        if not os.path.islink(lib):
            os.symlink("usr/lib", lib)
        command("depmod", "-b", self.path, self.release)

    def boot_modules(self):
        """The modules that the root file system needs, in the order of loading."""
        files = []
        for module in BOOT_MODULES:
            text = command("modprobe", "--show-depends", "--dirname", self.path, "--set-version",
                           self.release, module)
            for line in text.splitlines():
                kind, _, name = line.partition(" ")
                if kind == "insmod" and name.split()[0] not in files:
                    files.append(name.split()[0])
        return files


def prune_dpdk(path):
    """Leaves testpmd and libraries. EAL loads all of its folder of drivers, so drivers that the lab does
    not use go where only the linker looks. testpmd calls some of those by name."""
    folder, = glob.glob(f"{path}/usr/lib/*/dpdk/pmds-*")
    for name in os.listdir(folder):
        if not name.startswith(tuple(f"librte_{driver}.so" for driver in DPDK_DRIVERS)):
            os.replace(os.path.join(folder, name), os.path.join(folder, "..", "..", name))
    for name in glob.glob(f"{path}/usr/bin/*") + glob.glob(f"{path}/usr/lib/*/*.a"):
        if os.path.basename(name) != "dpdk-testpmd":
            os.unlink(name)
    for name in ("etc", "usr/include", "usr/sbin", "usr/share", "var"):
        shutil.rmtree(os.path.join(path, name), ignore_errors=True)
    for name in ("dev", "proc", "run", "sys", "tmp", "var"):
        os.makedirs(os.path.join(path, name), exist_ok=True)
    os.symlink("../run", os.path.join(path, "var", "run"))


def build_selftests(root, output):
    """Makes the programs of the kernel's tests of VFIO, by the kernel's own Makefile. `root` has the kernel's
    source and its headers for programs. The programs are static: they go on working when the host's libraries
    change."""
    archive = f"{root}/usr/src/linux-source-{SELFTESTS_KERNEL}.tar.xz"
    source, mode = os.path.join(root, "source"), os.path.join(root, "mode.o")
    for folder in (source, output):
        os.mkdir(folder)
    command("tar", "-xJf", archive, "-C", source, "--strip-components=1", "--wildcards",
            *(f"linux-source-{SELFTESTS_KERNEL}/{part}" for part in SELFTESTS_PARTS))
    command("gcc", "-x", "c", "-c", "-o", mode, "-", input=SELFTESTS_MODE)
    headers = f"{root}/usr/include"
    command("make", f"-j{os.cpu_count()}", "-C", os.path.join(source, SELFTESTS, "vfio"), "ARCH=x86_64",
            f"OUTPUT={output}", f"KHDR_INCLUDES=-isystem {headers} -isystem {headers}/x86_64-linux-gnu",
            f"LDFLAGS=-static -pthread {mode}", "EXTRA_CFLAGS=-Wno-error")

def unpacked(path):
    if path.endswith(".xz"):
        with lzma.open(path) as file:
            return file.read()
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    with open(path, "rb") as file:
        return file.read()


class Cpio:
    """An archive that the kernel unpacks (Linux, Documentation/driver-api/early-userspace)."""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0

    def add(self, name, mode, content=b""):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        for part in (b"070701" + b"".join(b"%08x" % field for field in fields) + encoded, content):
            self.data += part
            self.data += bytes(-len(self.data) % 4)

    def folder(self, name):
        self.add(name, 0o040755)

    def program(self, name, content):
        self.add(name, 0o100755, content)

    def finish(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


class Store:
    def __init__(self, path, progress):
        self.path, self.progress = os.path.abspath(path), progress
        self.fetched = None  # names, once fetch() is done
        try:
            os.makedirs(self.path, exist_ok=True)
            self.lock = open(os.path.join(self.path, "lock"), "w", encoding="ascii")
        except OSError as error:
            raise Unavailable(f"the cache {path}: {error.strerror}; "
                          "name another with --cache") from None

    def made(self, name, make):
        """The folder `name`, made by make(path) if it is not there."""
        path = os.path.join(self.path, name)
        if self.fetched is not None:
            if name not in self.fetched:
                raise Failure(f"{name} was not fetched: the scenario does not say that it needs it")
            return path
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        try:
            if not os.path.isdir(path):
                partial = f"{path}.partial"
                shutil.rmtree(partial, ignore_errors=True)
                try:
                    make(partial)
                    os.rename(partial, path)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
        finally:
            fcntl.flock(self.lock, fcntl.LOCK_UN)
        return path

    def fetch(self, version, needs):
        """Fetches all that a guest with this kernel needs; `needs`: and of "dpdk", "ipxe" and "selftests".
        Later calls get only that."""
        folders = [self.tools(), self.kernel(version).path, *(getattr(self, name)() for name in needs)]
        self.fetched = {os.path.basename(path) for path in folders}

    def tools(self):
        def make(path):
            self.progress("fetching QEMU")
            debian("minbase", NEWEST, QEMU, path)
        return self.made("tools", make)

    def kernel(self, version):
        def make(path):
            self.progress(f"fetching kernel {version}")
            debian("extract", KERNELS[version], ["linux-image-amd64"], path)
            for name in os.listdir(path):
                if name not in ("boot", "lib", "usr"):
                    shutil.rmtree(os.path.join(path, name), ignore_errors=True)
            Kernel(path, version).index()
        return Kernel(self.made(f"kernel-{version}", make), version)

    def dpdk(self):
        """A root in which testpmd runs. Its package depends on 200 others, so it is unpacked here and not
        installed."""
        def make(path):
            self.progress("fetching DPDK")
            debian("extract", (DPDK_SUITE,), ["dpdk-dev"], path)
            prune_dpdk(path)
        return self.made("dpdk", make)

    def ipxe(self):
        """A folder with ipxe.lkrn: iPXE with all its drivers, in the form of a Linux kernel."""
        def make(path):
            self.progress("fetching iPXE")
            os.mkdir(path)
            debian("extract", (IPXE_SUITE,), ["ipxe"], f"{path}/root")
            os.replace(f"{path}/root/usr/lib/ipxe/ipxe.lkrn", f"{path}/ipxe.lkrn")
            shutil.rmtree(f"{path}/root")
        return self.made("ipxe", make)

    def selftests(self):
        """A folder with the programs of the kernel's tests of VFIO, which run on any root."""
        def make(path):
            self.progress("fetching the kernel's source")
            root, output = f"{path}/root", f"{path}/output"
            os.mkdir(path)
            debian("extract", KERNELS[SELFTESTS_KERNEL], [f"linux-source-{SELFTESTS_KERNEL}", "linux-libc-dev"],
                   root)
            self.progress("building the kernel's tests of VFIO")
            build_selftests(root, output)
            for program in glob.glob(f"{output}/*_test"):
                shutil.move(program, path)
            shutil.rmtree(output)
            shutil.rmtree(root)
        return self.made("selftests", make)

    def initramfs(self, kernel, path):
        archive = Cpio()
        for folder in ("bin", "dev", "proc", "sys", "modules", "lower", "upper", "root"):
            archive.folder(folder)
        with open(os.path.join(self.tools(), "usr", "bin", "busybox"), "rb") as file:
            archive.program("bin/busybox", file.read())
        for order, name in enumerate(kernel.boot_modules()):
            archive.program(f"modules/{order:02}.ko", unpacked(name))
        for name in ("init", "agent.py", "neighbour.py", "pulse.py", "relay.py", "../descriptor_store.py"):
            with open(os.path.join(HERE, name), "rb") as file:
                archive.program(os.path.basename(name), file.read())
        with open(path, "wb") as file:
            file.write(archive.finish())
        return path
