# SPDX-License-Identifier: MIT
"""Each place where libixgbe writes a register, or waits, is one that tests/mutants makes wrong: a form that the
generator does not know is told, not passed over."""
import os
import shutil
import sys

import pytest
from conftest import TOP

sys.path.insert(0, os.path.join(TOP, "tests", "mutants"))
import mutants  # noqa: E402

EIAC = "\treg_write(nic, IXGBE_EIAC, IXGBE_EICR_RTXQ);"
TABLE = ("static const struct { uint32_t at, value; } table[] = {\n\t{IXGBE_EIAC, IXGBE_EICR_RTXQ},\n};\n\n"
         "static void other(struct ixgbe *nic)\n{\n\treg_write(nic, table[0].at, table[0].value);\n}\n")
HELPER = ("static inline void reg_field(struct ixgbe *nic, uint32_t o, uint32_t v)\n{\n\treg_write(nic, o, v);\n}\n")
# What is written otherwise: (name, file, old, new); old None: new comes behind all.
FORMS = [
    ("macro", "rss.c", None, "#define PUT(o, v) reg_write(nic, o, v)\n"),
    ("helper", "port.h", None, HELPER),
    ("new file", "led.c", None, "void led_off(struct ixgbe *nic)\n{\n\treg_write(nic, 0x200, 0);\n}\n"),
    ("another file", "dump.c", None, "static void x(struct ixgbe *nic)\n{\n\treg_write(nic, IXGBE_EIMC, 1);\n}\n"),
    ("direct, another file", "device/pass.c", None,
     "static void x(struct ixgbe_backend *b)\n{\n\tb->ops->write32(b, IXGBE_EIMC, 1);\n}\n"),
    ("another table", "irq.c", None, TABLE),
    ("plain row", "init.c", "\tONE(WUFC, 0),", "\t{IXGBE_WUFC, 4, 1, 0},"),
    ("another table of fills", "init.c", "static const struct fill clears[] = {", "static struct fill clears[] = {"),
    ("pointer", "irq.c", EIAC, "\tvoid (*put)(struct ixgbe *, uint32_t, uint32_t) = reg_write;\n"),
    ("configuration", "device/pci.c", None,
     "static int x(struct ixgbe_device *d)\n{\n\treturn d->backend->ops->config_write(d->backend, 4, NULL, 2);\n}\n"),
    ("doorbell", "queues/tx.c", None, "static void x(struct tail *t)\n{\n\t*t->doorbell = 1;\n}\n"),
    ("for", "link.c", None, "static void x(uint64_t end)\n{\n\tfor (; wait_now_us() < end;)\n\t\t;\n}\n"),
    ("without an end", "link.c", None,
     "static void x(struct ixgbe *nic)\n{\n\twhile (reg_read(nic, IXGBE_ANLP1))\n\t\t;\n}\n"),
]


def test_nothing_is_passed_over():
    assert not mutants.unseen(TOP)


@pytest.mark.parametrize("name, file, old, new", FORMS, ids=[form[0] for form in FORMS])
def test_another_form_is_found(tmp_path, name, file, old, new):
    shutil.copytree(os.path.join(TOP, "ixgbe"), tmp_path / "ixgbe")
    path = tmp_path / "ixgbe" / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert old is None or text.count(old) == 1
    path.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")
    found = mutants.unseen(tmp_path)
    assert len(found) == 1 and found[0].startswith(f"ixgbe/{file}:"), (name, found)


def test_a_table_with_a_size_is_one(tmp_path):
    shutil.copytree(os.path.join(TOP, "ixgbe"), tmp_path / "ixgbe")
    path = tmp_path / "ixgbe" / "init.c"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("struct fill clears[] = {", "struct fill clears[64] = {"), encoding="utf-8")
    kept = len(mutants.Source(TOP, "init.c", 0).mutants)
    assert not mutants.unseen(tmp_path) and len(mutants.Source(tmp_path, "init.c", 0).mutants) == kept


def test_a_plain_write_is_a_mutant_of_each_that_keeps_bits():
    for file in mutants.FILES:
        source = mutants.Source(TOP, file, 0)
        calls = [mutant for mutant in source.mutants
                 if mutant.kind == "deletion" and mutant.text.startswith(tuple(mutants.PLAIN))]
        assert len(calls) == sum(mutant.kind == "plain" for mutant in source.mutants)
