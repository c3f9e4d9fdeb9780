"""A page of a report: one self-contained HTML file with its style, no script, and a policy that fetches nothing."""

import html
from dataclasses import dataclass
from importlib import resources

from thesis_lib.study.report_parts import WIDE

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
REFRESH = 30  # seconds after which a page is read again while parts run
SWITCH = '<label><input type="checkbox" id="all-code"> Show all code</label>'


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        name: its address on the page.
        title: in the list of sections.
        body: HTML.
        state: how far it is, in words; "" if that goes without saying.
    """

    name: str
    title: str
    body: str
    state: str = ""


def page(title, body, sections=(), back=None, is_running=False):
    """A whole HTML document.

    Args:
        title: of the document.
        body: HTML of its main part, which starts with a heading of the first level.
        sections: `Section`s whose bodies follow, and which are listed at the side.
        back: (address, title) of the page that this one belongs to, or None.
        is_running: whether the page is read again every REFRESH seconds, because parts are still written.
    """
    style = resources.files("thesis_lib.study").joinpath("report_page.css").read_text("utf-8")
    refresh = f'<meta http-equiv="refresh" content="{REFRESH}">' if is_running else ""
    parts = "".join(f'<section id="{html.escape(one.name)}">{one.body}</section>' for one in sections)
    kind = ' class="with-sections"' if sections else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}<style>{style}</style></head>'
        f'<body><a class="skip" href="#content">To the content</a>{_bar(title, sections, back)}'
        f'<div{kind}>{_list(sections)}<main id="content">{body}{parts}</main></div></body></html>\n'
    )


def _bar(title, sections, back):
    """The line that stays in view."""
    left = f'<p class="where">{html.escape(title)}</p>'
    if sections:
        left = f'<a class="to-sections" href="#sections">Sections</a>{left}'
    elif back:
        left = f'<a href="{html.escape(back[0])}">← {html.escape(back[1])}</a>{left}'
    return f'<header class="bar">{left}{SWITCH}</header>'


def _list(sections):
    """The list of sections."""
    if not sections:
        return ""
    items = "".join(
        f'<li><a href="#{html.escape(one.name)}">{html.escape(one.title)}{_in_list(one.state)}</a></li>'
        for one in sections
    )
    return f'<nav id="sections" aria-label="Sections"><a class="close" href="#content">Close</a><ol>{items}</ol></nav>'


def _in_list(state):
    return f' <span class="state">({html.escape(state)})</span>' if state else ""


def table_as_html(table, links=()):
    """A DataFrame as an HTML table, all cells escaped; text wraps and numbers do not.

    Args:
        table: DataFrame; missing values become empty cells, numbers have three digits.
        links: address of each row's first cell, or None where it has none.
    """
    numeric = [all(_is_number(value) for value in table[column]) for column in table.columns]
    heads = "".join(
        f'<th scope="col"{"" if number else " class=text"}>{html.escape(str(name))}</th>'
        for name, number in zip(table.columns, numeric)
    )
    rows = []
    for index, values in enumerate(table.itertuples(index=False)):
        link = links[index] if index < len(links) else None
        cells = [_cell(value, number) for value, number in zip(values, numeric)]
        first = html.escape(_text(values[0]))
        first = f'<a href="{html.escape(link)}">{first}</a>' if link else first
        rows.append(f'<tr><th scope="row">{first}</th>{"".join(cells[1:])}</tr>')
    head = f"<thead><tr>{heads}</tr></thead>"
    return f"{WIDE}<table>{head}<tbody>{''.join(rows)}</tbody></table></div>"


def _is_number(value):
    """Whether a cell reads as a number, a missing one included."""
    try:
        float(value if value is not None else 0)
    except (TypeError, ValueError):
        return False
    return True


def _cell(value, is_number):
    return f"<td{'' if is_number else ' class=text'}>{html.escape(_text(value))}</td>"


def _text(value):
    """A value as text: numbers with three digits or whole, nothing for a missing one."""
    if value is None or value != value:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
