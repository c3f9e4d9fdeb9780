"""An executed notebook as HTML for a page: formulas as MathML, code folded away, and nothing that runs or is fetched.

What a notebook displays may come from a data set or a parameter, so its HTML is kept only as far as `ALLOWED` goes
(nh3, a binding to the sanitiser ammonia). The sanitiser's time grows with the square of the nesting, so a cell whose
HTML is absurd is left out.
"""

import html
import re
from collections import Counter
from functools import cache

from thesis_lib.extras import extra
from thesis_lib.study.report_parts import Headings, figure, tables

with extra("notebooks"):
    import nbformat
    import nh3
    from latex2mathml.converter import convert, convert_to_element
    from nbconvert import HTMLExporter

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(?!\$)([^$\n]+?)\$(?!\$)", re.DOTALL)
MATHML = """math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle
msub msubsup msup mtable mtd mtext mtr munder munderover"""  # its tags
PARTS = {"mfrac": 2, "mroot": 2, "mover": 2, "msub": 2, "msubsup": 3, "msup": 2, "munder": 2, "munderover": 3}
OF_MATHML = """accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height
linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines
rowspacing rspace scriptlevel separator stretchy symmetric voffset width"""  # attributes of these tags
ALLOWED = {
    "tags": nh3.ALLOWED_TAGS
    | {"figure", "figcaption", "style", *MATHML.split()},  # pandas writes the colours of a table as a style sheet
    "clean_content_tags": {"script"},
    "attributes": {
        **nh3.ALLOWED_ATTRIBUTES,
        "*": {"aria-label", "class", "id", "role", "style", "tabindex", "title"},
        "img": nh3.ALLOWED_ATTRIBUTES["img"] | {"decoding", "loading"},
        "style": {"type"},
        "table": nh3.ALLOWED_ATTRIBUTES["table"] | {"border"},
        "td": nh3.ALLOWED_ATTRIBUTES["td"] | {"valign"},
        "th": nh3.ALLOWED_ATTRIBUTES["th"] | {"valign"},
        **dict.fromkeys(MATHML.split(), set(OF_MATHML.split())),
    },
    "url_schemes": {"data", "http", "https", "mailto"},
}


TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
DEEPEST, MOST = 500, 30_000  # nested elements, and tags, of a cell that is shown
DRAWS = re.compile(r"\bfigures\.(\w+)\(")
ANCHOR = re.compile(r'<a class="anchor-link" href="[^"]*">.</a>')  # beside each heading
RENAMED = re.compile(r"^(\w+) = .*\bfigures\.(\w+)\b", re.MULTILINE)


def notebook_as_html(path, captions=None, link=None, name=""):
    """The body of an executed notebook as HTML, its code folded away and its figures embedded.

    Scripts, forms, frames and images from elsewhere are left out. A formula that cannot be read stays as it is written.
    A cell whose HTML is nested more than DEEPEST deep, or has more than MOST tags, is left out.

    Args:
        path: of the notebook.
        captions: dict from the name of a function of `thesis_lib.figures` to what its figure shows; None: no captions.
        link: function from an address in the notebook to that on the page, or to None where there is nothing to link
            to; None leaves addresses as they are.
        name: of the notebook on the page. The ids of its headings start with it, so that they differ from others'.

    Returns:
        HTML, and a list of sentences on what cannot be shown.

    Raises:
        ValueError: naming the file, if it is no notebook or cannot be shown.

    Example:
        >>> body, faults = notebook_as_html("notebooks/01_boundary_prior.ipynb")
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        drawn = _drawn(notebook, captions or {})
        headings, parts, faults = Headings(above=1), [], []
        for number, cell in enumerate(notebook.cells, start=1):
            if is_absurd(_given(cell)):  # first, since nbconvert parses it as well
                faults.append(f"has a cell, number {number}, whose HTML is too deep or too long; it is left out")
                continue
            body, broken = _cell_as_html(cell, notebook.metadata, drawn[number - 1])
            faults += [f"has a formula that cannot be read: {formula}" for formula in broken]
            parts.append(sanitised(_code(cell) + headings.moved(tables(body)), link, name))
        return "\n".join(parts), faults
    except Exception as error:  # a damaged notebook fails anywhere in nbformat, nbconvert, its templates and nh3
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} must be an executed notebook; it cannot be shown: {reason[:200]}") from error


def title_of(path):
    """The first heading of a notebook, or the name of its file in words if it has none or cannot be read."""
    try:
        cells = nbformat.read(path, as_version=4).cells
        texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
        return re.search(r"^# +(.+?) *$", "\n".join(texts), re.MULTILINE)[1]
    except Exception:  # see `notebook_as_html`, which names the fault
        return path.stem.replace("_", " ")


def is_absurd(body):
    """Whether HTML is nested more than DEEPEST deep or has more than MOST tags; a tag without its end counts as open.

    Example:
        >>> is_absurd("<div>" * 1000), is_absurd("<p>a</p>" * 1000)
        (True, False)
    """
    tags, opened, depth = TAG.findall(body), Counter(), 0
    for closing, name in tags[: MOST + 1]:
        name = name.lower()
        if closing:
            depth -= opened[name] > 0
            opened[name] = max(opened[name] - 1, 0)
        elif name not in VOID:
            depth, opened[name] = depth + 1, opened[name] + 1
        if depth > DEEPEST:
            return True
    return len(tags) > MOST


def _given(cell):
    """All texts of a cell that may become HTML."""
    if cell.cell_type != "code":
        return cell.source
    data = [output.get("data", {}) for output in cell.outputs]
    return "\n".join("".join(one[kind]) for one in data for kind in ("text/html", "text/markdown") if kind in one)


def _drawn(notebook, captions):
    """What the figures of each cell show, a list a cell, from the functions that its code calls."""
    sources = [cell.source if cell.cell_type == "code" else "" for cell in notebook.cells]
    renamed = {name: function for source in sources for name, function in RENAMED.findall(source)}
    found = []
    for source in sources:
        called = [name for name in DRAWS.findall(source) if name in captions]
        calls = re.findall(r"\b(\w+)\(", source)
        called = called or [renamed[name] for name in calls if renamed.get(name) in captions]
        texts = [captions[name] for name in called]
        found.append(texts + texts[-1:] * 100)  # a loop draws several figures by one call
    return found


def formulas_as_mathml(markdown):
    """Markdown with $...$ and $$...$$ replaced by MathML, which browsers show without a script.

    Returns:
        Markdown, and a list of the formulas that cannot be read; they stay as they are written.

    Example:
        >>> formulas_as_mathml(r"the width $\\sigma$ and $\\frac{1}$")[1]
        ['$\\\\frac{1}$']
    """
    broken = []

    def mathml(formula):
        block, inline = formula.groups()
        latex, display = (block or inline).strip(), "block" if block else "inline"
        try:
            if _is_whole(convert_to_element(latex, display=display)):
                made = convert(latex, display=display)
                return made.replace("<math ", '<math tabindex="0" ', 1) if block else made  # it may scroll
        except Exception:  # latex2mathml raises its own errors, which share no class, and those of Python
            pass
        broken.append(formula.group())
        return formula.group()

    return FORMULA.sub(mathml, markdown), broken


def _is_whole(formula):
    """Whether a formula's elements have all their parts; latex2mathml leaves commands that it does not know as text."""
    parts = [len(one) == PARTS.get(one.tag, len(one)) for one in formula.iter()]
    return all(parts) and not any((one.text or "").startswith("\\") for one in formula.iter())


def sanitised(body, link=None, name=""):
    """HTML without what can run, be fetched or be sent: tags and attributes outside `ALLOWED` are left out.

    Text of tags that are left out stays, except that of scripts. Images stay where they are in the page (data: URIs).

    Args:
        body: HTML.
        link, name: as for `notebook_as_html`.

    Example:
        >>> sanitised('<p onclick="go()">5 <b>px</b><script>go()</script></p>')
        '<p>5 <b>px</b></p>'
    """

    def kept(tag, attribute, value):
        """The value of an attribute, or None if it is an image from elsewhere, or a page inside a link."""
        if attribute in ("src", "href"):
            inside = re.sub(r"[\x00-\x20]", "", value).lower().startswith("data:")  # browsers skip these characters
            if inside != (attribute == "src"):
                return None
        if attribute == "href" and value.startswith("#"):
            return f"#{name}-{value[1:]}" if name else value
        if attribute == "href" and link is not None:
            return link(value)
        return f"{name}-{value}" if name and attribute == "id" and re.fullmatch("h[1-6]", tag) else value

    return nh3.clean(body, attribute_filter=kept, **ALLOWED)


def _code(cell):
    """A cell's code, which the switch of the page or the line above it unfolds."""
    if cell.cell_type != "code":
        return ""
    folded = '<details class="code"><summary>Code</summary></details>'
    return f'{folded}<pre class="code"><code>{html.escape(cell.source, quote=False)}</code></pre>\n'


def _cell_as_html(cell, metadata, captions):
    """HTML of a cell, not yet sanitised and without its code, and its formulas that cannot be read."""
    broken = []
    if cell.cell_type == "markdown":
        cell.source, broken = formulas_as_mathml(cell.source)
    elif cell.cell_type == "code":
        captions = iter(captions)
        cell.outputs = [_shown(output, captions) for output in cell.outputs if output.get("name") != "stderr"]
    one = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    body, _ = _exporter(cell.cell_type == "code").from_notebook_node(one)
    return ANCHOR.sub("", body), broken


def _shown(output, captions):
    """An output whose picture is a figure with the next caption and the text that `figures.show` gave it."""
    encoded = output.get("data", {}).get("image/png")
    if encoded is None:
        return output
    given = output.get("metadata", {}).get("image/png", {})
    body = figure("".join(encoded.split()), next(captions, ""), str(given.get("alt", "")))
    return nbformat.v4.new_output("display_data", {"text/html": body})


@cache
def _exporter(is_code):
    return HTMLExporter(
        template_name="basic",
        exclude_input=is_code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
