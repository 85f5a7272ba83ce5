"""tests/e2e/MATRIX.md: what a run found, as a table."""

import os
import platform
import re
import subprocess

HEAD = """# The fault matrix

Written by `tests/e2e/fire`; do not edit. Each cell is one fault at one component while CRM life goes on. Besides what its row
says, every cell asserts: all targets equal the org, field by field (headwater-verify); every part is ok again and `/readyz`
answers 200; nothing is in quarantine but what the row announces; memory, descriptors and threads stay within their bounds.
*Recovery* counts from the end of the fault until every target holds what the org has sent.

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


def write(path, fire, outcomes, seconds, soak=None):
    tested = [outcome for outcome in outcomes if not outcome.skipped]
    commit = subprocess.run(["git", "-C", os.path.dirname(path), "log", "-1", "--format=%h of %as"], check=False, text=True,
                            stdout=subprocess.PIPE).stdout.strip()
    slowest = max((outcome for outcome in tested if outcome.recovery), key=lambda outcome: outcome.recovery)
    peak = max(outcome.rss_mib for outcome in tested)
    lines = [HEAD,
             f"Commit {commit}; {os.cpu_count()} cores of {processor()}; PostgreSQL, Redis and Apache Kafka on loopback.\n\n",
             f"- {sum(outcome.ok for outcome in tested)} of {len(tested)} cells hold, in {seconds / 60:.0f} minutes"
             f"{f'; {len(outcomes) - len(tested)} could not be made here' if len(tested) < len(outcomes) else ''}.\n",
             f"- {fire.kills} SIGKILLs of headwaterd under load.\n",
             f"- Slowest recovery: {slowest.recovery:.1f} s ({slowest.cell.name}). A part that needs a person is tried again every"
             " 60 s.\n",
             f"- Most memory in any cell: {peak:.0f} MiB of at most {fire.rss_mib_max}.\n"]
    if soak:
        lines.append(f"- {soak}\n")
    lines.append("\n| component | fault | expected | outcome | recovery | what it said, and counted |\n|---|---|---|---|---|---|\n")
    for outcome in outcomes:
        each = outcome.cell
        said = "; ".join(filter(None, [f"“{one_line(outcome.told)}”" if outcome.told else "", one_line("; ".join(outcome.notes))]))
        found = f"not tested: {outcome.skipped}" if outcome.skipped else "holds" if outcome.ok else f"**FAILED** {one_line(outcome.why)}"
        recovery = "" if outcome.recovery is None else f"{outcome.recovery:.1f} s"
        lines.append(f"| {each.component} | {one_line(each.fault)} | {one_line(each.expected)} | {found} | {recovery} | {said} |\n")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(lines)
