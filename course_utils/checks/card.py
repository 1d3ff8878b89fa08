"""The card that a check shows: HTML in a notebook, text in a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH = 100
# Colour only repeats what the sign and the word say. These borders are visible on white and on black.
LOOK = {
    "passed": ("✓", "Passed", "#2e9e5b"),
    "failed": ("✗", "Not passed", "#d9534f"),
    "not yet": ("…", "Not yet", "#8a8f98"),
}
SMALL = "font-size:0.9em;opacity:.85"
PRE = (
    "margin:2px 0;padding:5px 8px;overflow-x:auto;color:inherit;background:rgba(128,128,128,.14);"
    "border-radius:3px;line-height:1.35;font-size:0.9em;font-family:var(--jp-code-font-family,monospace)"
)


@dataclass(frozen=True)
class Block:
    """A labelled piece of preformatted text."""

    label: str
    text: str


@dataclass(frozen=True)
class Row:
    """Blocks that belong side by side, under an optional title."""

    blocks: tuple
    title: str = ""


@dataclass(frozen=True, repr=False)
class Card:
    """What a check found. `status` is "passed", "failed" or "not yet"; `mistake` is a name or None."""

    question: str
    title: str
    status: str
    message: str
    rows: tuple = ()
    mistake: str | None = None
    hint: str | None = None
    footer: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    def __repr__(self):
        sign, word, _ = LOOK[self.status]
        lines = [*_wrap(f"{sign} {word}: {self.question} {self.title}"), *_wrap(self.message, "  ")]
        if self.mistake:
            lines += _wrap(f"This looks like: {self.mistake}", "  ")
        if self.hint:
            lines += _wrap(f"Hint: {self.hint}", "  ")
        for row in self.rows:
            lines += ["", *([f"  {row.title}"] if row.title else []), *_beside(row.blocks)]
        if self.footer:
            lines += [""] * bool(self.rows) + _wrap(self.footer, "  ")
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self):
        sign, word, colour = LOOK[self.status]
        parts = [
            f'<p style="margin:0"><strong>{sign} {word}</strong> &nbsp; {escape(self.question)} '
            f"<em>{escape(self.title)}</em></p>",
            f'<p style="margin:6px 0">{escape(_printable(self.message))}</p>',
        ]
        if self.mistake:
            parts.append(f'<p style="margin:6px 0">This looks like: <strong>{escape(self.mistake)}</strong></p>')
        if self.hint:
            parts.append(
                '<details style="margin:6px 0"><summary style="cursor:pointer">Hint</summary>'
                f'<p style="margin:4px 0 4px 16px">{escape(self.hint)}</p></details>'
            )
        for row in self.rows:
            if row.title:
                parts.append(f'<p style="margin:10px 0 2px"><strong>{escape(row.title)}</strong></p>')
            blocks = [
                f'<div style="margin:4px 16px 0 0;max-width:100%"><div style="{SMALL}">{escape(b.label)}</div>'
                f'<pre style="{PRE}">{escape(chr(10).join(_lines(b.text)))}</pre></div>'
                for b in row.blocks
            ]
            parts.append(f'<div style="display:flex;flex-wrap:wrap;align-items:flex-start">{"".join(blocks)}</div>')
        if self.footer:
            parts.append(f'<p style="margin:6px 0 0;{SMALL}">{escape(self.footer)}</p>')
        label = escape(f"Check {self.question}: {word}", quote=True)
        return (
            f'<section aria-label="{label}" style="border:1px solid rgba(128,128,128,.4);border-radius:4px;'
            f'border-left:6px solid {colour};padding:10px 14px;margin:4px 0;color:inherit;max-width:60em">'
            f"{''.join(parts)}</section>"
        )


def show_value(x) -> str:
    """A number or an array, compact, and ready to be pasted into np.array(...) if it is small."""
    if np.ndim(x) == 0:
        return f"{x:.8g}" if isinstance(x, (float, np.ndarray)) else str(x)
    return np.array2string(
        x, precision=6, suppress_small=True, separator=", ", threshold=80, edgeitems=2, max_line_width=80
    )


def _beside(blocks, indent: int = 4, gap: int = 3) -> list:
    """Lines of text with the blocks side by side, as many as fit."""
    done, open_ = [], []
    for block in blocks:
        column = [*_wrap(block.label)[:1], *_lines(block.text, WIDTH - indent)]
        width = max(map(len, column))
        if open_ and indent + sum(w + gap for w, _ in open_) + width > WIDTH:
            done += [*_join(open_, indent, gap), ""]
            open_ = []
        open_.append((width, column))
    return done + _join(open_, indent, gap)


def _join(columns, indent, gap) -> list:
    height = max(len(column) for _, column in columns)
    return [
        " " * indent
        + (" " * gap).join((column[k] if k < len(column) else "").ljust(width) for width, column in columns)
        for k in range(height)
    ]


def _wrap(text: str, indent: str = "") -> list:
    return textwrap.wrap(
        _printable(text), WIDTH, initial_indent=indent, subsequent_indent=indent or "  ", break_on_hyphens=False
    ) or [indent]


def _lines(text: str, width: int = WIDTH, most: int = 40) -> list:
    """Lines of preformatted text, cut to a width and a number."""
    lines = [line if len(line) <= width else line[: width - 1] + "…" for line in _printable(text).splitlines()]
    return lines if len(lines) <= most else [*lines[:most], f"… {len(lines) - most} more lines"]


def _printable(text: str) -> str:
    """Without control characters: a terminal would obey them."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
