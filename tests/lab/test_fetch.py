# SPDX-License-Identifier: MIT
"""What each scenario takes from Debian, with an empty cache: all of it before the lab enters its own network
namespace. mmdebstrap is a stand-in that makes what the lab looks for, and notes from where it was called. apt-get
is one that knows a mirror: the machine's own apt may have none."""
import io
import json
import os
import re
import signal
import subprocess
import tarfile

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("IXTAP_BUILD") or os.path.join(TOP, "build", "plain")
LAB = os.path.join(TOP, "tools", "lab", "lab")
SCENARIOS = ("kernel", "vfio", "driver", "restart", "containment", "faults", "dpdk", "ipxe", "selftests", "groundwork",
             "compare", "bare")
END_S = 60
NO_QEMU = "QEMU did not start"
STAND_INS = {
    "mmdebstrap": """#!/bin/sh
for word; do
	case $word in
	--include=*) echo "${word#--include=} $(readlink /proc/self/ns/net)" >>"$FETCHES" ;;
	/*) root=$word ;;
	esac
done
mkdir "${root:?}" || exit 1
mkdir -p "$root/boot" "$root/lib/modules" "$root/usr/bin" "$root/usr/lib/x/dpdk/pmds-1" "$root/usr/src"
for each in dev media mnt run srv; do mkdir "$root/$each"; done
mkdir "$root/usr/lib/ipxe"
touch "$root/usr/bin/busybox" "$root/usr/lib/ipxe/ipxe.lkrn"
for each in 6.12.1 7.3.1; do
	mkdir "$root/lib/modules/$each"
	touch "$root/boot/vmlinuz-$each"
done
cp "$SOURCE" "$root/usr/src/linux-source-7.3.tar.xz"
case $* in
*"${DIES:-no package}"*) kill -9 $PPID ;;
esac
""",
    "apt-get": "#!/bin/sh\necho Debian http://mirror.example/\n",
    "modprobe": "#!/bin/sh\necho insmod /dev/null\n",
}
# Of the kernel's source: the parts that the store unpacks, and another one.
SELFTESTS = "tools/testing/selftests"
SOURCE = {
    f"{SELFTESTS}/vfio/Makefile": "all:\n\t$(CC) $(LDFLAGS) -o $(OUTPUT)/vfio_mode_test mode.c\n",
    f"{SELFTESTS}/vfio/mode.c": """#include <stdio.h>
const char *default_iommu_mode = "iommufd";
int main(void) { return puts(default_iommu_mode) < 0; }
""",
    **{f"{folder}/part.h": "" for folder in ("tools/include", "tools/arch/x86/include", "drivers/dma/one",
                                             "drivers/net/ethernet/intel/igb")},
    **{name: "" for name in (f"{SELFTESTS}/lib.mk", f"{SELFTESTS}/kselftest.h", "include/linux/pci_ids.h",
                             "scripts/subarch.include", "kernel/fork.c")},
}


def kernel_source(path):
    with tarfile.open(path, "w:xz") as archive:
        for name, text in SOURCE.items():
            member = tarfile.TarInfo(f"linux-source-7.3/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def fetches(tmp_path):
    """Runs the lab with an empty cache. Returns what it said, and {packages: network namespace}. `dies`: of which
    package the lab is killed while mmdebstrap runs."""
    programs = tmp_path / "bin"
    source = kernel_source(tmp_path / "source.tar.xz")
    programs.mkdir()
    for name, text in STAND_INS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(*words, dies=""):
        notes = tmp_path / "fetches"
        notes.write_text("")
        done = subprocess.run(
            [LAB, *words, "--cache", str(tmp_path / "cache")], text=True, capture_output=True, timeout=END_S,
            stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, "IXTAP_BUILD": BUILD, "FETCHES": str(notes), "SOURCE": str(source), "DIES": dies,
                 "PATH": f"{programs}:{os.environ['PATH']}"})
        return done, dict(line.split() for line in notes.read_text().splitlines())
    return run


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_is_fetched_before_there_is_no_network(fetches, scenario):
    done, fetched = fetches(scenario)
    # There is no QEMU in the stand-in's root. The lab had all that it wanted when it found out.
    assert NO_QEMU in done.stderr, done.stderr
    assert any("qemu" in packages for packages in fetched)
    assert set(fetched.values()) == {os.readlink("/proc/self/ns/net")}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_fetch_leaves_nothing_to_be_fetched(fetches, scenario):
    done, first = fetches(scenario, "--fetch")
    assert done.returncode == 0, done.stderr
    assert first and "needs is in" in done.stdout
    done, second = fetches(scenario)
    assert NO_QEMU in done.stderr, done.stderr
    assert not second


@pytest.mark.parametrize("scenario, package", (("dpdk", "dpdk"), ("ipxe", "ipxe"), ("selftests", "linux-source")))
def test_fetch_anew_after_one_that_was_killed(fetches, scenario, package):
    done, _ = fetches(scenario, "--fetch", dies=package)
    assert done.returncode == -signal.SIGKILL
    done, fetched = fetches(scenario, "--fetch")
    assert done.returncode == 0, done.stderr
    assert any(package in packages for packages in fetched)


def test_the_kernels_tests_are_built(fetches, tmp_path):
    """With another default of the IOMMU mode, where one is asked for; and nothing else is kept."""
    done, _ = fetches("selftests", "--fetch")
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "cache" / "selftests") == ["vfio_mode_test"]
    program = tmp_path / "cache" / "selftests" / "vfio_mode_test"
    for wanted, said in (({}, "iommufd"), ({"IXTAP_IOMMU_MODE": "vfio_type1v2_iommu"}, "vfio_type1v2_iommu")):
        done = subprocess.run([program], text=True, capture_output=True, timeout=END_S, check=True, env=wanted)
        assert done.stdout == f"{said}\n"


def test_a_mirror_without_the_kernels_source(fetches, tmp_path):
    """The lab says so, and that nothing was tested."""
    (tmp_path / "bin" / "mmdebstrap").write_text(
        STAND_INS["mmdebstrap"].replace("#!/bin/sh", """#!/bin/sh
case $* in
*linux-source*) echo "E: Unable to locate package linux-source-7.3" >&2; exit 100 ;;
esac"""))
    done, _ = fetches("selftests", "--json", str(tmp_path / "said.json"))
    assert done.returncode == 1
    assert "no linux-source-7.3" in done.stderr and "Unable to locate package" in done.stderr
    assert json.loads((tmp_path / "said.json").read_text())["unavailable"]
    assert not (tmp_path / "cache" / "selftests").exists()


def test_scenarios_are_all_of_them():
    text = subprocess.run([LAB, "--help"], text=True, capture_output=True, timeout=END_S, check=True).stdout
    listed = text.partition("scenarios:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  (\w+) ", listed, re.M) == list(SCENARIOS)


def test_apt_that_was_never_updated(tmp_path):
    """apt names a mirror's owner only after its first update."""
    program = tmp_path / "apt-get"
    program.write_text(f"""#!/bin/sh
case $1 in
update) touch {tmp_path}/updated ;;
indextargets) echo "$(test -e {tmp_path}/updated && echo Debian) http://mirror.example/" ;;
esac
""")
    program.chmod(0o755)
    done = subprocess.run(["/usr/bin/python3", "-c", "import store; print(store.mirror())"], text=True,
                          capture_output=True, timeout=END_S, check=False,
                          env={**os.environ, "PYTHONPATH": f"{TOP}/tools/lab",
                               "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.stdout.strip() == "http://mirror.example/", done.stderr
