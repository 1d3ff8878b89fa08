"""What the pages and tables of the grader have in common: text that is safe to print, numbers, the frame of a page.

Most of what is printed comes from strangers: names, files, and what a student's code wrote or raised.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

# Explicit embeddings, overrides and isolates: they turn round the order of the letters that follow.
REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HARMFUL = ("Cc", "Cs")  # categories of Unicode: control characters, and halves of a character
MOST = 2000  # characters of one text

# Nothing is fetched and nothing runs: the page holds all that it shows. (`style` attributes are a card's.)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #c4cad1; --link: #0550ae;
  --right: #1a7f37; --partly: #8a5a00; --wrong: #b3261e; --bar: #2f6fb3; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #16191d; --soft: #a5adb6; --line: #454c54; --link: #8ab8ff;
    --right: #56d364; --partly: #e3b341; --wrong: #ff8a80; --bar: #6fa8e8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, ul { margin: .5rem 0; }
a { color: var(--link); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem; margin: .75rem 0; }
dt { color: var(--soft); }
dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; overflow-wrap: normal; }
caption { text-align: left; color: var(--soft); padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.right { color: var(--right); } .partly { color: var(--partly); } .wrong { color: var(--wrong); }
.soft { color: var(--soft); }
.lines { white-space: pre-line; }
.total { font-size: 1.35rem; font-weight: 600; }
summary { cursor: pointer; }
footer { margin-top: 2rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--soft); }
figure { margin: .75rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
svg { display: block; width: 100%; max-width: 34rem; height: auto; }
svg text { fill: currentColor; font: 11px system-ui, "DejaVu Sans", sans-serif; }
svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --line: #999; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; }
  tr, figure { break-inside: avoid; }
  pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; block-size: auto; }  /* paper does not unfold */
}
"""


def plain(text: str, most: int = MOST) -> str:
    """A text without what is not to be obeyed or cannot be stored: control characters, half characters, reordering.

    Line breaks stay. Each thing taken out leaves a �, so that one sees that there was something.
    """
    text = str(text)
    if len(text) > most:
        text = f"{text[:most]}… ({len(text) - most} more characters)"
    text = re.sub(r"\r\n?|[\u2028\u2029]", "\n", text).replace("\t", " ")
    return "".join(
        "\ufffd" if c in REORDERING or (unicodedata.category(c) in HARMFUL and c != "\n") else c for c in text
    )


def stranger(text: str, most: int = 200) -> str:
    """HTML of a text that somebody else wrote: escaped, and alone in its direction of writing."""
    return f"<bdi>{escape(plain(text, most))}</bdi>"


def ours(text: str) -> str:
    """HTML of a text of the course, the grader or the instructor: escaped all the same."""
    return escape(plain(text))


def number(x: float) -> str:
    """At most four decimals, and no more than are needed: 2, 1.5, 0.3333."""
    text = f"{x:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def document(title: str, header: str, main: str, footer: str) -> str:
    """A whole page from its title (text) and its three parts (HTML)."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{ours(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
{header}
</header>
<main>
{main}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""


def table(caption: str, head: list, rows: list, numbers: tuple = ()) -> str:
    """A table; cells are HTML, the first of a row names it. `numbers`: columns that are set to the right."""

    def cells(row, tag):
        made = []
        for k, cell in enumerate(row):
            scope = ' scope="col"' if tag == "th" else ' scope="row"' if k == 0 else ""
            kind = "th" if k == 0 else tag
            made.append(f"<{kind}{scope}{' class=number' if k in numbers else ''}>{cell}</{kind}>")
        return f"<tr>{''.join(made)}</tr>"

    body = "\n".join(cells(row, "td") for row in rows)
    said = escape(caption, quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{said}"><table><caption>{said}</caption>'
        f"<thead>{cells(head, 'th')}</thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
