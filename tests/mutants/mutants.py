# SPDX-License-Identifier: MIT
"""Mutants of libixgbe: one wrong access to the hardware each, made from the source.

    deletion   a register write is left out: a call of reg_write, reg_set, reg_clear, reg_change, tail_write or
               pci_write16, or a row of a table of writes
    field      a written value is another: a named constant is left out or is its neighbour, a field's value is its
               neighbour, a shift is one more; a value without any of these is 0, or one more
    order      two statements of one block that follow each other and write registers change places, or two rows of a
               table. Only where one depends on the other: both write the same register, or one of them writes a switch
               (SWITCH_FIELDS, SWITCH_REGISTERS)
    plain      a reg_set, reg_clear or reg_change writes the new bits without those that were there
    wait       a reg_wait returns at once, a wait_us does not wait, a loop that polls ends before its first turn

All mutants are in one copy of the source, where mutant(N) asks whether number N was chosen by $IXTAP_MUTANT: one build
serves them all. A mutant's name is its kind, file, function and text, which other changes of the source leave alone.

What a written value is made of is followed within a file: local variables and the fields of structures by what is assigned
to them, functions by what they return, parameters by what callers pass, macros by their body.

No mutants, because they could not differ, or are no access to the hardware:
    wait.c                  reg_wait's own sleep between two polls is the processor's rest, not the hardware's time
    backends/               they carry accesses, and choose none
    port.h, queues/mmio.h   the helpers: each of their callers is a place of its own
    fill_all(), reg_change  the same: the places are the rows of the tables, and the calls
    an order of two writes of which neither is a switch: no device could tell
    an order where the second statement uses a result of the first
    a macro that is a mere number, or that a static assertion names
"""
import collections
import os
import re

FILES = ("bus.c", "device/kept.c", "device/pci.c", "eeprom.c", "filters.c", "init.c", "irq.c", "link.c", "port.c", "rings.c", "rss.c", "semaphore.c",
         "sfp.c", "stats.c", "queues/rx.c", "queues/tx.c")
# Each helper that writes, and which of its arguments are written values.
WRITERS = {"reg_write": (2,), "reg_set": (2,), "reg_clear": (2,), "reg_change": (2, 3), "tail_write": (1,),
           "pci_write16": (2,), "write32": (2,)}
# Of those that read, change and write: what the write alone would be, of the arguments or a number.
PLAIN = {"reg_set": 2, "reg_clear": "0", "reg_change": 3}
# Where a write is no place of its own: the helpers, whose callers are, and the relay of a dead driver's access.
CARRIERS = {"port.h": ("reg_write", "reg_set", "reg_clear"), "queues/mmio.h": ("tail_write",), "device/device.h": ("pci_write16",),
            "device/relay.c": ("carry_out",), "init.c": ("fill_all", "reg_change")}
NOT_CHOSEN = ("backends/", "vfio_user/", "tables/")  # they carry accesses, and choose none
HELPERS = ("fill_all", "reg_change")
SWITCH_FIELDS = re.compile(r"_(ENABLE|RXEN|TE|RX_DIS|ARBDIS|RST|LPBK|MASTER_DISABLE|AV|DRV_LOAD|START|RESTART_AN"
                           r"|BUFFERS_CLEAR|SWESMBI|SWFLSH|MRQE|MFE|ECCFLT_EN)\b")
SWITCH_REGISTERS = re.compile(r"\b(IXGBE_)?(RTTDQSEL|EIMS|EIMC|EIMC_EX|I2CCTL|GPIE|EERD|SW_FW_SYNC|SWSM|ESDP|AUTOC|RAH"
                              r"|PICAUSE|PIENA|MRQC|RXDCTL|TXDCTL|CTRL)\b|\b[rt]xdctl\b|\btail_write\b")
CONSTANT = re.compile(r"\b((?:IXGBE|PCI)_[A-Z0-9_]+|UINT32_MAX)\b(?!\s*\()")
KEYWORDS = ("if", "for", "while", "switch", "return", "sizeof", "do", "else")

Mutant = collections.namedtuple("Mutant", "number kind file line function text")
Wrap = collections.namedtuple("Wrap", "start end prefix suffix")
Function = collections.namedtuple("Function", "name start end params")
Statement = collections.namedtuple("Statement", "start end parts simple")


def blanked(text):
    """The text with comments, strings and characters as blanks: places stay."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.S)


def closing(code, at):
    """The place of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(code)):
        depth += (code[place] in "([{") - (code[place] in ")]}")
        if depth == 0:
            return place
    raise ValueError(f"no end of {code[at:at + 40]!r}")


def arguments(code, at):
    """The ranges of the arguments in the brackets that open at `at`."""
    end, found, start, depth = closing(code, at), [], at + 1, 0
    for place in range(at + 1, end + 1):
        if (code[place] == "," and depth == 0) or place == end:
            found.append(trimmed(code, start, place))
            start = place + 1
        depth += (code[place] in "([{") - (code[place] in ")]}")
    return found


def trimmed(code, start, end):
    while start < end and code[start].isspace():
        start += 1
    while end > start and code[end - 1].isspace():
        end -= 1
    return start, end


def expression_end(code, at):
    """Where the expression that starts at `at` ends: at a semicolon or comma of its own level."""
    while code[at] not in ";,)]}":
        at = closing(code, at) + 1 if code[at] in "([{" else at + 1
    return at


class Source:
    """One file: its mutants, and its copy with all of them."""

    def __init__(self, top, file, first, mutate=True):
        self.file, self.number = file, first
        with open(os.path.join(top, "ixgbe", file), encoding="utf-8") as lines:
            self.text = lines.read()
        self.code = blanked(self.text)
        self.mutants, self.wraps, self.places, self.tail = [], [], set(), []
        self.functions = list(self.find_functions())
        if mutate:
            self.mutate()

    def mutate(self):
        self.swaps = {}
        self.writers = self.find_writers()
        self.calls = []
        for function in self.functions:
            if function.name not in HELPERS:
                self.deletions(function)
                self.waits(function)
        for call, values in self.calls:
            for start, end in values:
                self.written(start, end, True)
            self.wraps.append(call)
        self.tables()
        for function in self.functions:
            if function.name not in HELPERS:
                self.orders(self.statement(function.start)[0], function)

    # ---- What is where ----

    def find_functions(self):
        for found in re.finditer(r"^[a-z][^\n;={}#]*?\b(\w+)\(([^;{}]*?)\)\s*\n\{", self.code, re.M):
            start = found.end() - 1
            params = [(re.findall(r"\w+", part) or [""])[-1] for part in re.sub(r"\[[^\]]*\]", "", found[2]).split(",")]
            yield Function(found[1], start, closing(self.code, start) + 1, params)

    def find_writers(self):
        """The functions of this file that write registers, themselves or through others."""
        names = {*WRITERS, "FILL"}
        while True:
            more = {function.name for function in self.functions
                    if self.writes(self.code[function.start:function.end], names)} - names
            if not more:
                return names
            names |= more

    @staticmethod
    def writes(code, names):
        return any(name in names for name in re.findall(r"\b(\w+)\(", code))

    def function_at(self, place):
        return next((function for function in self.functions if function.start <= place < function.end), None)

    def add(self, kind, place, text):
        function = self.function_at(place)
        line = self.text.count("\n", 0, place) + 1
        self.number += 1
        self.mutants.append(Mutant(self.number, kind, self.file, line, function.name if function else "",
                                   " ".join(text.split())))
        return self.number

    # ---- Deletions and waits ----

    def deletions(self, function):
        for found in re.finditer(r"\b(\w+)\(", self.code[function.start:function.end]):
            if found[1] not in WRITERS:
                continue
            start, opens = function.start + found.start(), function.start + found.end() - 1
            start -= len(re.search(r"(?:\w+->)*$", self.code[:start])[0])
            end = closing(self.code, opens) + 1
            number = self.add("deletion", start, self.text[start:end])
            nothing = "0" if found[1] == "pci_write16" else "(void)0"
            parts = arguments(self.code, opens)
            self.calls.append((Wrap(start, end, f"(mutant({number}) ? {nothing} : ", ")"),
                               [parts[at] for at in WRITERS[found[1]]]))
            if found[1] in PLAIN:
                value = PLAIN[found[1]]
                value = value if isinstance(value, str) else self.text[slice(*parts[value])]
                number = self.add("plain", start, self.text[start:end])
                write = " ".join(f"reg_write({self.text[slice(*parts[0])]}, {self.text[slice(*parts[1])]}, {value})".split())
                self.wraps.append(Wrap(start, end, f"(mutant({number}) ? {write} : ", ")"))

    def waits(self, function):
        for found in re.finditer(r"\b(reg_wait|wait_us|while)\s*\(", self.code[function.start:function.end]):
            start, opens = function.start + found.start(), function.start + found.end() - 1
            end = closing(self.code, opens) + 1
            if found[1] == "while":
                if "wait_now_us" not in self.code[start:end]:
                    continue
                number = self.add("wait", start, self.text[start:end])
                self.wraps.append(Wrap(opens + 1, end - 1, f"!mutant({number}) && (", ")"))
                continue
            number = self.add("wait", start, self.text[start:end])
            nothing = "0" if found[1] == "reg_wait" else "(void)0"
            self.wraps.append(Wrap(start, end, f"(mutant({number}) ? {nothing} : ", ")"))

    # ---- Values ----

    def changes(self, start, end):
        """What of the expression is changed: (start, end, [replacement])."""
        code, found, at = self.code, [], start
        while at < end:
            call = re.compile(r"\b(\w+)\s*\(").match(code, at)
            if call and call[1] in ("IXGBE_FIELD_PREP", "IXGBE_FIELD_SET"):
                parts = arguments(code, call.end() - 1)
                close = closing(code, call.end() - 1) + 1
                value = self.text[parts[-1][0]:parts[-1][1]]
                without = "0u" if call[1].endswith("PREP") else self.text[parts[1][0]:parts[1][1]]
                whole = self.text[at:parts[-1][0]] + f"(({value}) + 1))"
                found.append((at, close, ([] if value == "0" else [without]) + [whole]))
                at = close
                continue
            if call and call[1] in ("IXGBE_FIELD_GET", "IXGBE_AT", "ixgbe_rxq_reg", "ixgbe_txq_reg", "reg_read", "read32"):
                at = closing(code, call.end() - 1) + 1
                continue
            constant = CONSTANT.match(code, at)
            if constant:
                name = constant[1]
                found.append((at, constant.end(), ["0u", f"({name} >> 1)" if name == "UINT32_MAX" else f"({name} << 1)"]))
                at = constant.end()
                continue
            shift = re.compile(r"(<<|>>)\s*(\d+)u?\b").match(code, at)
            if shift:
                found.append((shift.start(2), shift.end(), [f"{int(shift[2]) + 1}"]))
                at = shift.end()
                continue
            word = re.compile(r"\w+").match(code, at)
            at = word.end() if word else at + 1
        literal = re.fullmatch(r"(0x[0-9a-f]+|\d+)u?", code[start:end])
        if literal:
            found = [(start, end, [f"{int(literal[1], 0) + 1}u"] + (["0u"] if int(literal[1], 0) else []))]
        return found

    def written(self, start, end, whole):
        """The mutants of a written value, and of what it is made of."""
        if (start, end) in self.places or start >= end:
            return
        self.places.add((start, end))
        found = self.changes(start, end)
        sources = self.made_of(start, end)
        if not found and whole and not any(self.changes(*source) for source in sources):
            value = self.text[start:end]
            found = [(start, end, ["0u", f"({value}) + 1"])]
        for first, last, replacements in found:
            prefix = ""
            for replacement in replacements:
                number = self.add("field", first, f"{self.text[first:last]} -> {replacement} in {self.line_of(first)}")
                prefix += f"mutant({number}) ? ({' '.join(replacement.split())}) : "
            self.wraps.append(Wrap(first, last, f"({prefix}", ")"))
        for source in sources:
            self.written(*source, False)

    def line_of(self, place):
        start, end = self.text.rfind("\n", 0, place) + 1, self.text.find("\n", place)
        return re.sub(r"\s*/\*.*?(\*/|$)", "", self.text[start:end]).rstrip("\\").strip()

    def made_of(self, start, end):
        function, sources = self.function_at(start), []
        for name in re.findall(r"\b[a-z]\w*(?:->\w+)*|\b[A-Z][A-Z0-9_]+\b", self.code[start:end]):
            macro = re.search(rf"^#define {name}[ \t]((?:[^\n]*\\\n)*[^\n]*)", self.code, re.M) if name.isupper() else None
            asserted = re.search(rf"static_assert\([^;]*\b{name}\b", self.code)
            if macro and not asserted and (CONSTANT.search(macro[1]) or "IXGBE_FIELD_" in macro[1]):
                sources.append(trimmed(self.code, *macro.span(1)))
            for other in self.functions:
                if other.name == name:
                    sources += self.after(r"\breturn\b", other)
            if not function or name in KEYWORDS:
                continue
            sources += self.after(rf"(?<![\w>.]){name}(?:\[[^\]]*\])?\s*(?:[|&^]?=)(?!=)", function)
            if name in function.params:
                sources += self.passed(function, function.params.index(name))
        return sources

    def after(self, pattern, function):
        """The expressions that follow the pattern in the function."""
        return [trimmed(self.code, function.start + found.end(), expression_end(self.code, function.start + found.end()))
                for found in re.finditer(pattern, self.code[function.start:function.end])]

    def passed(self, function, index):
        sources = []
        for found in re.finditer(rf"\b{function.name}\(", self.code):
            if self.function_at(found.start()):
                sources.append(arguments(self.code, found.end() - 1)[index])
        return sources

    # ---- Tables of writes ----

    def tables(self):
        for found in re.finditer(r"^static (const )struct fill (\w+)\[\w*\] = \{", self.code, re.M):
            self.wraps.append(Wrap(*found.span(1), "/* ", " */"))
            rows, name = [], found[2]
            for row in re.finditer(r"\b(ALL|ONE|FROM)\(", self.code[found.end():closing(self.code, found.end() - 1)]):
                start, opens = found.end() + row.start(), found.end() + row.end() - 1
                rows.append((start, closing(self.code, opens) + 1, arguments(self.code, opens)[-1]))
            for at, (start, end, value) in enumerate(rows):
                self.row(name, at, start, end, value)
            for at in range(len(rows) - 1):
                pair = [self.text[start:end] for start, end, _ in rows[at:at + 2]]
                if any(SWITCH_FIELDS.search(row) for row in pair):
                    number = self.add("order", rows[at][0], f"{pair[0]} <-> {pair[1]}")
                    self.tail.append(f"if (mutant({number})) {{ struct fill kept = {name}[{at}]; "
                                     f"{name}[{at}] = {name}[{at + 1}]; {name}[{at + 1}] = kept; }}")

    def row(self, name, at, start, end, value):
        text = self.text[start:end]
        number = self.add("deletion", start, text)
        self.tail.append(f"if (mutant({number})) {name}[{at}].count = 0;")
        found = self.changes(*value)
        if not found:
            expression = self.text[value[0]:value[1]]
            found = [(*value, ["0u", f"({expression}) + 1"])]
        for first, last, replacements in found:
            for replacement in replacements:
                number = self.add("field", start, f"{self.text[first:last]} -> {replacement} in {text}")
                changed = self.text[value[0]:first] + f"({replacement})" + self.text[last:value[1]]
                self.tail.append(f"if (mutant({number})) {name}[{at}].value = {' '.join(changed.split())};")

    # ---- Orders ----

    def skip(self, at):
        while self.code[at].isspace():
            at += 1
        return at

    def statement(self, at):
        """The statement at `at` with those in it, and the place behind it."""
        code, at = self.code, self.skip(at)
        start, parts = at, []
        if code[at] == "{":
            at = self.skip(at + 1)
            while code[at] != "}":
                part, at = self.statement(at)
                parts.append(part)
                at = self.skip(at)
            return Statement(start, at + 1, parts, False), at + 1
        word = re.compile(r"\w*").match(code, at)[0]
        if word in ("if", "for", "while", "switch"):
            part, at = self.statement(closing(code, code.index("(", at)) + 1)
            parts.append(part)
            after = self.skip(at)
            if word == "if" and re.compile(r"else\b").match(code, after):
                part, at = self.statement(after + 4)
                parts.append(part)
            return Statement(start, at, parts, False), at
        if word == "do":
            part, at = self.statement(at + 2)
            at = code.index(";", closing(code, code.index("(", at))) + 1
            return Statement(start, at, [part], False), at
        while code[at] != ";":
            at = closing(code, at) + 1 if code[at] in "([{" else at + 1
        return Statement(start, at + 1, [], True), at + 1

    def is_effect(self, statement):
        text = self.code[statement.start:statement.end]
        declares = re.match(r"(const|static|struct|u?int\w*|bool|for \(;;)\b", text) if statement.simple else None
        return not declares and not re.search(r"\b(return|break|continue)\b", text) and self.writes(text, self.writers)

    def switch(self, statement):
        """What the statement writes, with short functions of this file in it."""
        text = self.code[statement.start:statement.end]
        for name in re.findall(r"\b(\w+)\(", text):
            for function in self.functions:
                body = self.code[function.start:function.end]
                if function.name == name and sum(body.count(f"{writer}(") for writer in WRITERS) <= 2:
                    text += body
        return bool(SWITCH_FIELDS.search(text) or SWITCH_REGISTERS.search(text))

    def target(self, statement):
        return {" ".join(self.code[start:end].split()) for found in
                re.finditer(r"\breg_(?:write|set|clear|change)\(", self.code[statement.start:statement.end])
                for start, end in [arguments(self.code, statement.start + found.end() - 1)[1]]}

    def feeds(self, first, second):
        """The second needs a result of the first: their order is the language's, not the hardware's."""
        result = re.match(r"(\w+) = ", self.code[first.start:first.end]) if first.simple else None
        return result and re.search(rf"\b{result[1]}\b", self.code[second.start:second.end])

    def orders(self, block, function):
        for first, second in zip(block.parts, block.parts[1:]):
            if (self.code[block.start] == "{" and self.is_effect(first) and self.is_effect(second)
                    and not self.feeds(first, second)
                    and (self.switch(first) or self.switch(second) or self.target(first) & self.target(second))):
                self.swaps[first.start] = self.add(
                    "order", first.start, f"{self.text[first.start:first.end]} <-> {self.text[second.start:second.end]}")
        for part in block.parts:
            self.orders(part, function)

    # ---- The copy ----

    def plain(self, start, end):
        """The text with its wraps."""
        inserts = collections.defaultdict(lambda: ([], []))
        for wrap in self.wraps:
            if start <= wrap.start and wrap.end <= end:
                inserts[wrap.start][1].append((-wrap.end, wrap.prefix))
                inserts[wrap.end][0].append((-wrap.start, wrap.suffix))
        out, at = [], start
        for place in sorted(inserts):
            out.append(self.text[at:place])
            out += [suffix for _, suffix in sorted(inserts[place][0], key=lambda item: item[0])]
            out += [prefix for _, prefix in sorted(inserts[place][1], key=lambda item: item[0])]
            at = place
        return "".join(out) + self.text[at:end]

    def render(self, statement):
        if not any(statement.start <= place < statement.end for place in self.swaps):
            return self.plain(statement.start, statement.end)
        out, at, before = [], statement.start, None
        for index, part in enumerate(statement.parts):
            out.append(self.plain(at, part.start))
            swap = self.swaps.get(part.start) if self.code[statement.start] == "{" else None
            text = self.render(part)
            if before:
                text = f"if (!mutant({before})) {{ {text} }}"
            if swap:
                both = self.render(statement.parts[index + 1]) + " " + self.render(part)
                text = f"if (mutant({swap})) {{ {both} }} else {{ {text} }}"
            out.append(text)
            at, before = part.end, swap
        return "".join(out) + self.plain(at, statement.end)

    def copy(self):
        out, at = ['extern _Bool mutant(int number);\n#line 1 "', self.file, '"\n'], 0
        for function in self.functions:
            out += [self.plain(at, function.start), self.render(self.statement(function.start)[0])]
            at = function.end
        out.append(self.plain(at, len(self.text)))
        if self.tail:
            out += ["\n__attribute__((constructor)) static void mutant_tables(void)\n{\n\t", "\n\t".join(self.tail), "\n}\n"]
        return "".join(out)


class Unseen:
    """What of a file writes registers, or waits, in a form of which no mutant is made."""

    def __init__(self, source):
        self.source, self.code, self.file = source, source.code, source.file
        self.found = []
        self.mentions()
        if self.file in FILES:
            self.offsets()
            self.tables()
            self.loops()

    def add(self, place, why):
        line = self.code.count("\n", 0, place) + 1
        self.found.append(f"ixgbe/{self.file}:{line}: {why}: {self.source.line_of(place)}")

    def mentions(self):
        """Each name that writes is called, in a function, of a file that has mutants."""
        names = "|".join([*WRITERS, "config_write", "doorbell"])
        for found in re.finditer(rf"\b({names})\b(\(?)", self.code):
            function = self.source.function_at(found.start())
            defines = any(other.name == found[1] and found.end() < other.start for other in self.source.functions)
            if found[1] == "doorbell" and not re.match(r"\s*=[^=]", self.code[found.end():]):
                continue
            if defines or (function and function.name in CARRIERS.get(self.file, ())):
                continue
            if self.file not in FILES:
                self.add(found.start(), "a write in a file without mutants")
            elif not function or not found[2] or found[1] not in WRITERS:
                self.add(found.start(), "a write that is no call in a function")

    def offsets(self):
        """A register that a table names has rows that are no places."""
        for found in re.finditer(r"\b(reg_write|reg_set|reg_clear|reg_change|write32)\(", self.code):
            function = self.source.function_at(found.start())
            if not function or function.name in HELPERS:
                continue
            start, end = arguments(self.code, found.end() - 1)[1]
            if re.search(r"\[|\.|->", self.code[start:end]) and "IXGBE_" not in self.code[start:end]:
                self.add(found.start(), "the register is of a table")

    def tables(self):
        tables = [found.span() for found in re.finditer(r"^static const struct fill \w+\[\w*\] = \{", self.code, re.M)]
        for found in re.finditer(r"\bstruct fill\b", self.code):
            table = next((span for span in tables if span[0] <= found.start() < span[1]), None)
            if not table and not re.match(r"struct fill (\{|\*row\b)", self.code[found.start():]):
                self.add(found.start(), "a table in another form")
            for start, end in arguments(self.code, table[1] - 1) if table else ():
                if start < end and not re.fullmatch(r"(ALL|ONE|FROM)\(.*\)", self.code[start:end], re.S):
                    self.add(start, "a row in another form")

    def loops(self):
        for found in re.finditer(r"\b(for|while) \(", self.code):
            head = self.code[found.end():closing(self.code, found.end() - 1)]
            condition = head.split(";")[1] if found[1] == "for" else head
            polls = "wait_now_us" in condition or "reg_read" in condition
            if polls and (found[1] == "for" or "wait_now_us" not in condition):
                self.add(found.start(), "a loop that polls in another form")


def unseen(top):
    """The lines of the driver that write registers, or wait, and of which no mutant is made."""
    found = []
    for folder, _, files in os.walk(os.path.join(top, "ixgbe")):
        for name in files:
            file = os.path.relpath(os.path.join(folder, name), os.path.join(top, "ixgbe"))
            if name.endswith((".c", ".h")) and not file.startswith(NOT_CHOSEN):
                found += Unseen(Source(top, file, 0, False)).found
    return found


def named(mutants):
    """The mutants by name. Of equal ones the second is #2, and so on."""
    seen, names = collections.Counter(), {}
    for mutant in mutants:
        name = " ".join(filter(None, (mutant.kind, mutant.file, mutant.function, mutant.text)))
        seen[name] += 1
        names[name + (f" #{seen[name]}" if seen[name] > 1 else "")] = mutant
    return names


def make(top, folder):
    """Writes the copies to `folder`: (mutants by name, paths of the copies by file)."""
    mutants, copies = [], {}
    for file in FILES:
        source = Source(top, file, len(mutants))
        if not source.mutants:
            continue
        mutants += source.mutants
        copies[file] = os.path.join(folder, file.replace("/", "_"))
        with open(copies[file], "w", encoding="utf-8") as out:
            out.write(source.copy())
    return named(mutants), copies
