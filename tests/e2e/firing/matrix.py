"""tests/e2e/MATRIX.md: what the latest run of every cell found, as a table. The results stand in a file between runs."""

import json
import os
import platform
import re
import subprocess

HEAD = """# The fault matrix

Written by `tests/e2e/fire`; do not edit. Each cell is one fault at one component while CRM life goes on. Besides what its row says,
every cell asserts: all targets equal the org, field by field, and Kafka's changes topics hold every change once and in order
(headwater-verify; rows that say *changes topics not compared* leave those out, and say why); platform events that the org published
stand in table and topic once and in order; no row of Postgres and no record of Redis ever went to a lower rev; every part is ok
again and `/readyz` answers 200; nothing is in quarantine but what the row announces; memory (of every life and every daemon),
descriptors and threads stay within their bounds.
*Recovery* counts from the end of the fault until every target holds what the org has sent. A row is the latest run of its cell, at
the commit that *run* names; where there were others before it, all are counted, and the red ones told by their commits.

"""


def one_line(text):
    """Fit for a cell of the table, and the same on every machine: ports, ages and ids are not news."""
    text = re.sub(r"127\.0\.0\.1(:\d+|\", port \d+)", "127.0.0.1", text or "")
    text = re.sub(r"/\S*headwater-fire\.\w+/", "…/", text)
    text = re.sub(r"\b[0-9a-f]{32}:", "", text)
    text = re.sub(r" rpcId: \S+", "", text)
    text = re.sub(r"<\d>ts=\S+ ", "", text)
    return text.replace("|", "\\|").replace("\n", " ").strip()[:260]


def processor():
    try:
        with open("/proc/cpuinfo") as info:
            return re.search(r"model name\s*: (.*)", info.read())[1]
    except (OSError, TypeError):
        return platform.machine()


def commit():
    return subprocess.run(["git", "-C", os.path.dirname(__file__), "log", "-1", "--format=%h"], check=False, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


class Results:
    """The outcomes of each cell, and of the soak, over runs. Kept as JSON lines; the last line of a name is its latest."""

    def __init__(self, path):
        self.path = path

    def add(self, name, **what):
        if self.path:
            with open(self.path, "a", encoding="utf-8") as out:
                out.write(json.dumps({"name": name, "commit": commit(), **what}) + "\n")

    def add_cell(self, outcome, kills):
        self.add(outcome.cell.name, ok=outcome.ok, why=outcome.why, recovery=outcome.recovery, seconds=outcome.seconds,
                 rss=outcome.rss_mib, notes="; ".join(filter(None, outcome.notes)), told=outcome.told, skipped=outcome.skipped,
                 kills=kills)

    def runs(self):
        """Name -> all its rows, the latest last."""
        out = {}
        with open(self.path, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                out.setdefault(row["name"], []).append(row)
        return out


def run_of(rows):
    red = [row["commit"] for row in rows if not row["ok"] and not row["skipped"]]
    told = f"; {len(rows)} runs" if len(rows) > 1 else ""
    return rows[-1]["commit"] + told + (f", red at {', '.join(red)}" if red else "")


def row_of(each, rows):
    row = rows[-1]
    told = f"“{one_line(row['told'])}”" if row["told"] else ""
    said = "; ".join(filter(None, [told, one_line(row["notes"])]))
    outcome = f"not tested: {row['skipped']}" if row["skipped"] else "holds" if row["ok"] else f"**FAILED** {one_line(row['why'])}"
    recovery = "" if row["recovery"] is None else f"{row['recovery']:.1f} s"
    return (f"| {each.component} | {one_line(each.fault)} | {one_line(each.expected)} | {outcome} | {recovery} | {run_of(rows)} "
            f"| {said} |\n")


def write(path, cells, results, rss_mib_max):
    """`cells`: all there are; those that were never run have no row."""
    runs = results.runs()
    latest = {name: rows[-1] for name, rows in runs.items()}
    known = [each for each in cells if each.name in latest]
    rows = [latest[each.name] for each in known]
    tested = [row for row in rows if not row["skipped"]]
    slowest = max((row for row in tested if row["recovery"]), key=lambda row: row["recovery"], default=None)
    lines = [HEAD,
             f"{os.cpu_count()} cores of {processor()}, shared with other work; PostgreSQL, Redis and Apache Kafka on loopback; commits "
             f"{', '.join(sorted({row['commit'] for row in rows}))}.\n\n",
             f"- {sum(row['ok'] for row in tested)} of {len(tested)} cells hold; {sum(row['seconds'] for row in tested) / 60:.0f} minutes;"
             f" {sum(not row['ok'] and not row['skipped'] for each in known for row in runs[each.name][:-1])} earlier runs were red.",
             f" {len(rows) - len(tested)} could not be made here.\n" if len(rows) > len(tested) else "\n",
             f"- {sum(row['kills'] for row in rows)} SIGKILLs of headwaterd under load.\n",
             f"- Slowest recovery: {slowest['recovery']:.1f} s ({slowest['name']}). A part that needs a person is tried again every"
             " 60 s.\n" if slowest else "- Nothing recovered.\n",
             f"- Most memory in any cell: {max(row['rss'] for row in tested):.0f} MiB of at most {rss_mib_max}.\n"]
    if "soak" in latest:
        lines.append(f"- {latest['soak']['figures']}\n")
    lines.append("\n| component | fault | expected | outcome | recovery | run | what it said, and counted |\n|---|---|---|---|---|---|---|\n")
    lines += [row_of(each, runs[each.name]) for each in known]
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(lines)
