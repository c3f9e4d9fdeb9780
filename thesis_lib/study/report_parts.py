"""What becomes of a notebook's HTML on the page: headings in order, tables that fit, figures with captions.

All this comes before the sanitiser, so that no replacement here can undo what it did.
"""

import base64
import html
import io
import re
from functools import lru_cache

from PIL import Image

HEADING = re.compile(r"<(/?)h([1-6])(?=[ >])")
BLANK_HEADER = re.compile(r"<th(?=[ >])[^>]*>(?:\s|&nbsp;|\xa0)*</th>")
HEAD = re.compile(r"<thead>.*?</thead>", re.DOTALL)
ROW = re.compile(r"<tr(?=[ >]).*?</tr>", re.DOTALL)
HEAD_CELL = re.compile(r"<th(?=[ >]).*?</th>", re.DOTALL)
WIDE = '<div class="wide" role="group" aria-label="table" tabindex="0">'  # a box in which a table scrolls
LARGE = 40_000  # bytes; larger pictures, which are photographs, may lose what nobody sees
QUALITY = 82  # of these, in percent
LARGEST = 50_000_000  # pixels of a picture that is written anew


class Headings:
    """Moves headings down by a level, so that the page keeps its own, and leaves no level out.

    Args:
        above: the level of the page's heading that they stand below.

    Example:
        >>> Headings(1).moved("<h1>a</h1><h4>b</h4>")
        '<h2>a</h2><h3>b</h3>'
    """

    def __init__(self, above):
        self.above, self.last, self.open = above, above, []

    def moved(self, body):
        """The HTML of the next cell with its headings moved."""
        return HEADING.sub(self._moved, body)

    def _moved(self, tag):
        closing, level = tag.groups()
        if closing:
            return f"</h{self.open.pop()}" if self.open else tag.group()
        self.last = max(self.above + 1, min(int(level) + self.above, self.last + 1, 6))
        self.open.append(self.last)
        return f"<h{self.last}"


def tables(body):
    """HTML whose tables scroll in a box of their own where they are too wide, without empty heads of columns.

    The name of the index, for which pandas writes a row of its own, moves into the row of the columns' names.

    Example:
        >>> tables("<table><tr><th></th></tr></table>")
        '<div class="wide" role="group" aria-label="table" tabindex="0"><table><tr><td></td></tr></table></div>'
    """
    body = BLANK_HEADER.sub("<td></td>", HEAD.sub(_in_one_row, body))
    return re.sub(r"<table(?=[ >])", f"{WIDE}<table", body).replace("</table>", "</table></div>")


def _in_one_row(head):
    """A table's head whose last two rows become one, where each name stands in only one of them."""
    rows = ROW.findall(head.group())
    cells = [HEAD_CELL.findall(row) for row in rows]
    if len(rows) < 2 or len(cells[-2]) != len(cells[-1]):
        return head.group()
    pairs = list(zip(cells[-2], cells[-1]))
    if any("colspan" in one or not (BLANK_HEADER.match(one) or BLANK_HEADER.match(other)) for one, other in pairs):
        return head.group()
    merged = [other if BLANK_HEADER.match(one) else one for one, other in pairs]
    return f"<thead>{''.join([*rows[:-2], '<tr>', *merged, '</tr>'])}</thead>"


def figure(encoded, caption="", described=""):
    """A picture with its caption, and with text for those who cannot see it.

    Args:
        encoded: PNG in base64.
        caption: what it shows.
        described: what stands on its axes, see `thesis_lib.figures.style.described`.
    """
    said = " ".join(text for text in (caption, described) if text) or "A figure without a description."
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{picture(encoded, said)}{below}</figure>"


def picture(encoded, alternative):
    """An img element of a PNG in base64, made smaller, and the text that stands for it."""
    kind, smaller, size = _smaller(encoded)
    lengths = f' width="{size[0]}" height="{size[1]}"' if size else ""
    return (
        f'<img src="data:image/{kind};base64,{smaller}"{lengths} alt="{html.escape(alternative)}" '
        'loading="lazy" decoding="async">'
    )


@lru_cache(maxsize=2000)
def _smaller(encoded):
    """(kind, base64, (width, height)) of a PNG in base64, as WebP if that is smaller; no size if it is unreadable."""
    try:
        given = base64.b64decode(encoded, validate=True)
        with Image.open(io.BytesIO(given)) as image:
            size = image.size
            if size[0] * size[1] > LARGEST:
                return "png", encoded, size
            image.load()
            made = _as_webp(image, lossless=True)
            if len(made) > LARGE:
                made = min(made, _as_webp(image, quality=QUALITY), key=len)
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError):  # not a PNG, or a damaged one
        return "png", encoded, None
    if len(made) >= len(given):
        return "png", encoded, size
    return "webp", base64.b64encode(made).decode("ascii"), size


def _as_webp(image, **options):
    file = io.BytesIO()
    image = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
    image.save(file, "WEBP", method=4, **options)
    return file.getvalue()
