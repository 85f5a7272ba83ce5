#!/usr/bin/env python3
"""Checks of the tree that no compiler makes. Usage: tidy.py SOURCE_DIR. Prints file:line: what; exit 1 if anything.

arrows      includes point only to the right: tests -> daemon -> connectors -> config -> schemas; no connector includes another
libraries   a client library is included only in .cpp files of its own room
listed      every .cpp stands in a CMakeLists.txt of its folder or one above
length      a function has at most 70 lines, unless long_functions.txt names it
words       no unfinished work, no sleeping, no path of one machine; no pipe into `grep -q`, which leaves its writer to SIGPIPE
rooms       every room has a README.md
metrics     daemon/observe/README.md names every metric, and nothing else
"""

import pathlib
import re
import sys

FUNCTION_LINES_MAX = 70
ROOMS = ["tests", "daemon", "connectors", "config", "schemas"]  # an arrow points to the right
INNER_ROOMS = {"core": [], "model": ["core"]}  # of schemas: what they may include besides themselves
# Client library, by how its includes begin -> the rooms that may. Tests are fakes and peers: they may all.
LIBRARIES = {
    "hiredis/": ["connectors/redis"],
    "pqxx/": ["connectors/postgres"],
    "libpq-fe.h": ["connectors/postgres"],
    "librdkafka/": ["connectors/kafka"],
    "grpc": ["connectors/salesforce"],
    "google/protobuf": ["connectors/salesforce"],
    "pubsub_api": ["connectors/salesforce"],
    "rocksdb/": ["daemon/ledger"],
    "httplib.h": ["daemon/observe", "connectors/salesforce"],
    "prometheus/": ["daemon/observe"],
    "spdlog/": ["daemon/observe"],
    "systemd/": ["daemon/runtime"],
    "yaml-cpp/": ["config"],
    "libpsl.h": ["schemas/crm"],
}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|HA" r"CK)\b|\bX" r"XX(?=[:(])")  # the last is a currency, too
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}*-])(/wo" r"rk/|/home/\w|/ro" r"ot/|/Us" r"ers/|/t" r"mp/build)")
EARLY_READER = re.compile(r"\|\s*grep\s+-\w*q")
CODE = {".cpp", ".hpp"}
TEXT = CODE | {".py", ".sh", ".lua", ".sql", ".cmake", ".md", ".yaml", ".yml", ".txt", ".service", ".in", ".proto", ""}
SKIPPED = {"build", "__pycache__"}


def files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(part in SKIPPED or part.startswith(".") for part in parts):
            continue
        if path.is_file() and path.suffix in TEXT:
            yield path


def read(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # data, not text


def without_comments(text, keep_strings=False):
    """Comments and the insides of literals become spaces, so that lines and columns stay."""
    literal = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z])\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        if keep_strings and not match[0].startswith("/"):
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return literal.sub(blank, text)


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if match:
            yield number, match[2], match[1] == '"'


def check_arrows(name, text):
    parts = name.split("/")
    if parts[0] not in ROOMS:
        return
    for number, include, ours in includes(text):
        target = include.split("/")
        if not ours or target[0] not in ROOMS:
            continue
        if ROOMS.index(target[0]) < ROOMS.index(parts[0]):
            yield number, f"{parts[0]} includes {include}: the arrow points back"
        elif parts[0] == target[0] == "connectors" and len(target) > 2 and target[1] != parts[1]:
            yield number, f"connectors/{parts[1]} includes {include}: connectors do not know each other"
        elif parts[0] == target[0] == "schemas" and parts[1] in INNER_ROOMS:
            if target[1] != parts[1] and target[1] not in INNER_ROOMS[parts[1]]:
                yield number, f"schemas/{parts[1]} includes {include}: it stands below that"


def check_libraries(name, text):
    if name.split("/")[0] == "tests":
        return
    for number, include, _ in includes(text):
        for start, rooms in LIBRARIES.items():
            if not include.startswith(start):
                continue
            if not any(name.startswith(room + "/") for room in rooms):
                yield number, f"{include} belongs to {' and '.join(rooms)} alone"
            elif name.endswith(".hpp"):
                yield number, f"{include} in a header: only .cpp files include it"


def functions(text):
    """(first line, name, lines) of every function that has a body. Lambdas belong to their function."""
    text = re.sub(r"(?m)^\s*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), without_comments(text))
    scopes = []  # of open braces: (first line, name) of a function, else None
    statement = 0  # where the text since the last ; { } begins
    for match in re.finditer(r"[;{}]", text):
        at = match.start()
        if match[0] == "{":
            head = text[statement:at].strip()
            inside = any(scopes)
            name = None if inside else function_name(head)
            begin = statement + len(text[statement:at]) - len(text[statement:at].lstrip())
            scopes.append((text.count("\n", 0, begin) + 1, name) if name else None)
        elif match[0] == "}" and scopes:
            scope = scopes.pop()
            if scope:
                yield scope[0], scope[1], text.count("\n", 0, at) + 1 - scope[0] + 1
        statement = match.end()


def function_name(head):
    if "(" not in head or re.match(r"(namespace|enum|union|extern)\b", head):
        return None
    # A class may have alignas(); a function that returns `struct x` has its name right before the parenthesis.
    match = re.search(r"([~\w:]+|operator\s*\S+)\s*\(", head)
    if match and match[1].startswith("TEST"):
        return re.sub(r"\s+", "", head)  # the macro's arguments are its name
    return match[1] if match else None


def check_length(name, text, allowed, seen):
    for number, function, lines in functions(text):
        if lines <= FUNCTION_LINES_MAX:
            continue
        key = f"{name}:{function}"
        seen.add(key)
        if key not in allowed:
            yield number, f"{function} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def check_words(name, text, sleeps, seen):
    code = name.endswith((".cpp", ".hpp"))
    if code and SLEEP.search(without_comments(text)):
        seen.add(name)
    for number, line in enumerate(text.splitlines(), 1):
        if match := UNFINISHED.search(line):
            yield number, f"{match[0]}: finish it or leave it out"
        if match := MACHINE_PATH.search(line):
            yield number, f"{match[0]}: a path of one machine"
        if match := EARLY_READER.search(line):
            yield number, f"{match[0]}: under pipefail its writer may fail by SIGPIPE; grep <<<\"$(...)\""
    if code and name not in sleeps:
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            if match := SLEEP.search(line):
                yield number, f"{match[0]}: wait for what you wait for, with a deadline (sleeps.txt lists who may poll)"


def check_listed(root, name):
    path = root / name
    for folder in path.parents:
        cmake = folder / "CMakeLists.txt"
        relative = path.relative_to(folder).as_posix()
        if cmake.is_file() and re.search(rf"(?<![\w./-]){re.escape(relative)}(?![\w.-])", read(cmake)):
            return
        if folder == root:
            break
    yield 1, "stands in no CMakeLists.txt"


def check_rooms(root):
    rooms = [root / room for room in ["schemas", "config", "connectors", "daemon", "systemd", "tests"]]
    for parent in ["connectors", "daemon"]:
        rooms += sorted(path for path in (root / parent).glob("*") if path.is_dir())
    for room in rooms:
        if any(path.is_file() for path in room.rglob("*")) and not (room / "README.md").is_file():
            yield f"{room.relative_to(root).as_posix()}/README.md", 1, "is missing: what the room owns, what it may not know"


def check_metrics(root):
    page = "daemon/observe/README.md"
    if not (root / page).is_file():
        return
    rows = re.findall(r"^\|[^|\n]*\|(.*)\|$", read(root / page).partition("(`headwater_` left out):")[2], re.M)
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`(?! for )", re.sub(r"\([^)]*\)", "", row))}
    made = set()
    for path in (root / "daemon").rglob("*.cpp"):
        made.update(re.findall(r'"headwater_([a-z_]+)"', without_comments(read(path), keep_strings=True)))
    for name in sorted(told ^ made):
        yield page, 1, f"headwater_{name} " + ("is no metric" if name in told else "is not listed")


def exceptions(root, file):
    path = root / "tests/tidy" / file
    lines = read(path).splitlines() if path.is_file() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def problems(root):
    long_functions, sleeps = exceptions(root, "long_functions.txt"), exceptions(root, "sleeps.txt")
    long_seen, sleeps_seen = set(), set()
    for path in files(root):
        name, text = path.relative_to(root).as_posix(), read(path)
        found = list(check_words(name, text, sleeps, sleeps_seen))
        if path.suffix in CODE:
            code = without_comments(text, keep_strings=True)
            found += check_arrows(name, code)
            found += check_libraries(name, code)
            found += check_length(name, text, long_functions, long_seen)
        if path.suffix == ".cpp":
            found += check_listed(root, name)
        for number, what in sorted(found):
            yield name, number, what
    yield from check_rooms(root)
    yield from check_metrics(root)
    for file, unused in [("long_functions.txt", long_functions - long_seen), ("sleeps.txt", sleeps - sleeps_seen)]:
        for line in sorted(unused):
            yield f"tests/tidy/{file}", 1, f"{line} is no longer needed: take it out"


def main():
    found = list(problems(pathlib.Path(sys.argv[1]).resolve()))
    for name, number, what in found:
        print(f"{name}:{number}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
