"""An executed notebook as HTML for a page: formulas as MathML, code folded away, and nothing that runs or is fetched.

What a notebook displays may come from a data set or a parameter, so its HTML is kept only as far as `ALLOWED` goes
(nh3, a binding to the sanitiser ammonia).
"""

import html
import re
from functools import cache

from thesis_lib.extras import extra

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
    "tags": nh3.ALLOWED_TAGS | {"style", *MATHML.split()},  # pandas writes the colours of a table as a style sheet
    "clean_content_tags": {"script"},
    "attributes": {
        **nh3.ALLOWED_ATTRIBUTES,
        "*": {"class", "id", "style", "title"},
        "style": {"type"},
        "table": nh3.ALLOWED_ATTRIBUTES["table"] | {"border"},
        "td": nh3.ALLOWED_ATTRIBUTES["td"] | {"valign"},
        "th": nh3.ALLOWED_ATTRIBUTES["th"] | {"valign"},
        **dict.fromkeys(MATHML.split(), set(OF_MATHML.split())),
    },
    "url_schemes": {"data", "http", "https", "mailto"},
}


def notebook_as_html(path):
    """The body of an executed notebook as HTML, its code folded away and its figures embedded.

    Scripts, forms, frames and images from elsewhere are left out. A formula that cannot be read stays as it is written.

    Args:
        path: of the notebook.

    Returns:
        HTML, and a list of the formulas that cannot be read.

    Raises:
        ValueError: naming the file, if it is no notebook or cannot be shown.

    Example:
        >>> body, broken = notebook_as_html("notebooks/01_boundary_prior.ipynb")  # doctest: +SKIP
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        cells = [_cell_as_html(cell, notebook.metadata) for cell in notebook.cells]
        return sanitised("\n".join(part for part, _ in cells)), [formula for _, broken in cells for formula in broken]
    except Exception as error:  # a damaged notebook fails anywhere in nbformat, nbconvert, its templates and nh3
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} must be an executed notebook; it cannot be shown: {reason[:200]}") from error


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
                return convert(latex, display=display)
        except Exception:  # latex2mathml raises its own errors, which share no class, and those of Python
            pass
        broken.append(formula.group())
        return formula.group()

    return FORMULA.sub(mathml, markdown), broken


def _is_whole(formula):
    """Whether a formula's elements have all their parts; latex2mathml leaves commands that it does not know as text."""
    parts = [len(one) == PARTS.get(one.tag, len(one)) for one in formula.iter()]
    return all(parts) and not any((one.text or "").startswith("\\") for one in formula.iter())


def sanitised(body):
    """HTML without what can run, be fetched or be sent: tags and attributes outside `ALLOWED` are left out.

    Text of tags that are left out stays, except that of scripts. Images stay where they are in the page (data: URIs).

    Example:
        >>> sanitised('<p onclick="go()">5 <b>px</b><script>go()</script></p>')
        '<p>5 <b>px</b></p>'
    """
    return nh3.clean(body, attribute_filter=_without_foreign_images, **ALLOWED)


def _without_foreign_images(tag, attribute, value):
    """The value of an attribute, or None if it is an image from elsewhere, or a page inside a link."""
    if attribute in ("src", "href"):
        inside = re.sub(r"[\x00-\x20]", "", value).lower().startswith("data:")  # browsers skip these characters
        return value if inside == (attribute == "src") else None
    return value


def _cell_as_html(cell, metadata):
    """HTML of a cell, not yet sanitised, and its formulas that cannot be read."""
    folded, broken = "", []
    if cell.cell_type == "markdown":
        cell.source, broken = formulas_as_mathml(cell.source)
    elif cell.cell_type == "code":
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        folded = f'<details class="code"><summary>code</summary><pre>{html.escape(cell.source)}</pre></details>\n'
    one = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    body, _ = _exporter(cell.cell_type == "code").from_notebook_node(one)
    return folded + body, broken


@cache
def _exporter(is_code):
    return HTMLExporter(
        template_name="basic",
        exclude_input=is_code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
