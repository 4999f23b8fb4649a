"""What a device's command line shows, read as a person would: its prompt, its pager, what it asks. Pure.

Next: ssh.py
"""

from __future__ import annotations

import re
from typing import Final

# How much of the end may hold a prompt, a pager's line or a question.
_TAIL: Final = 2000
_LONGEST_PROMPT: Final = 256
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[=>()][0-9A-Za-z]?|\][^\x07\x1b]*(?:\x07|\x1b\\))")
# " --More-- ", "  ---- More ----", "---(more 42%)---", "Press any key to continue (Q to quit)", less's ":" and "(END)".
_PAGER: Final = re.compile(
    r"\s*(?:-{2,}\s*\(?more\b.*|press any key to continue.*|:|\(END\)|lines \d+-\d+.*)\s*", re.IGNORECASE
)


def prompt_pattern(base_prompt: str) -> re.Pattern[str]:
    """A line that is the prompt of a device whose prompt begins so: in another mode or view as well, with nothing behind it."""
    # A device names itself: of a longer line the beginnings and ends to try would take seconds.
    return re.compile(rf"(?=.{{1,{_LONGEST_PROMPT}}}\Z)[\[<*~(]*(?:\S*[@:])?{re.escape(base_prompt)}\S*\s*[>#$%\]]\s*")


def last_line(shown: str) -> str:
    """The line where the cursor stands, as it is seen."""
    return plain(shown[-_TAIL:].rpartition("\n")[2])


def is_pager(line: str) -> bool:
    """Whether a device waits there for a key, to go on with its output."""
    return _PAGER.fullmatch(line) is not None


def asks(shown: str, question: str) -> bool:
    """Whether the end of what is shown has the question in it."""
    return re.search(question, plain(shown[-_TAIL:])) is not None


def plain(shown: str) -> str:
    """The text that stands on the screen in the end: without colours, and without what was wiped away again."""
    text = _ESCAPE.sub("", shown).replace("\r\n", "\n")
    return "\n".join(_overtyped(line) for line in text.split("\n"))


def _overtyped(line: str) -> str:
    """A line after its backspaces and returns, which pagers use to take their own words away."""
    if "\b" not in line and "\r" not in line:
        return line
    seen: list[str] = []
    at = 0
    for one in line:
        if one == "\b":
            at = max(0, at - 1)
        elif one == "\r":
            at = 0
        else:
            seen[at : at + 1] = [one]
            at += 1
    return "".join(seen).rstrip()


def answer_of(shown: str, command: str) -> str | None:
    """What came behind the echo of a command; None while the echo is not there. The prompt that follows is in it."""
    text = plain(shown)
    _, echo, answer = text.partition(command)
    return answer.partition("\n")[2] if echo else None


def without_prompt(answer: str) -> str:
    """An answer without its last line, the prompt."""
    return answer.rpartition("\n")[0]
