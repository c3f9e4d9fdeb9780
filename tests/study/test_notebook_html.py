"""A notebook as HTML: formulas, figures, and nothing that runs or is fetched."""

import base64
import html
import io
import json
import re
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_cases import Elements, displayed, write_notebook

from thesis_lib.paths import REPOSITORY
from thesis_lib.study.notebook_html import formulas_as_mathml, is_absurd, notebook_as_html, sanitised, title_of


def test_formulas_become_mathml_without_a_script():
    made, broken = formulas_as_mathml(r"so $\sigma^2$ and $$M_{jk} = \frac{L}{A}$$ end")
    assert made.count("<math") == 2 and 'display="block"' in made and "$" not in made and not broken


@pytest.mark.parametrize(
    "formula", [r"$\frac{1}$", r"$$\left( x$$", "$x^$", "$a_b_c$", r"$\begin{matrix} 1$", r"$\unknown{x}$"]
)
def test_a_formula_that_cannot_be_read_stays_as_it_is_written_and_is_named(formula):
    assert formulas_as_mathml(f"so {formula} end") == (f"so {formula} end", [formula])


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_command_of_a_formula_is_left_on_the_page(path):
    texts = [
        "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "markdown"
    ]
    made = [formulas_as_mathml(text) for text in texts]
    assert not [word for text, broken in made for word in [*broken, *re.findall(r"\\\w+|\$", text)]]


HOSTILE = {  # what a browser would run, fetch or send
    "script": "<script>document.title = 'run'</script>",
    "handler": "<img src=x onerror=run()>",
    "svg": "<svg onload=run()><script>run()</script></svg>",
    "comment in a style": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onload=x&gt;'>",
    "style in a formula": "<math><mtext><mglyph><style><img src onerror=run()></style></mglyph></mtext></math>",
    "noscript": "<noscript><p title='</noscript><img src onerror=run()>'>",
    "annotation": "<math><annotation-xml encoding='text/html'><img src onerror=run()></annotation-xml></math>",
    "frame": "<iframe srcdoc='<script>run()</script>'></iframe><object data=x></object><embed src=x>",
    "form": "<form action='https://foreign.example'><input autofocus onfocus=run()><button>go</button></form>",
    "link": "<a href='java&#9;script:run()'>a</a><a href=' da&#9;ta:text/html,x'>b</a>",
    "link of a formula": "<math href='javascript:run()'><maction xlink:href='javascript:run()'>x</maction></math>",
    "image from elsewhere": "<img src='https://foreign.example/a.png'><img src=//foreign.example/a.png>",
    "head": "<base href='https://foreign.example'><link rel=stylesheet href=a.css><meta http-equiv=refresh>",
}

FORBIDDEN = set(re.findall(r"\S+", "script svg iframe object embed form input button base link meta noscript maction"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_notebook_can_neither_run_nor_fetch_nor_send_anything(tmp_path, kind):
    stream = nbformat.v4.new_output("stream", text=HOSTILE[kind])
    cells = [
        nbformat.v4.new_markdown_cell(HOSTILE[kind]),
        displayed(text_html=HOSTILE[kind]),
        displayed(text_markdown=HOSTILE[kind]),
        displayed(application_javascript="run()"),
        nbformat.v4.new_code_cell(HOSTILE[kind], outputs=[stream]),
    ]
    write_notebook(tmp_path / "a.ipynb", *cells)
    body, _ = notebook_as_html(tmp_path / "a.ipynb")
    elements = Elements(body)
    assert body.count("<details") == 4 and sanitised(body) == body
    tags = {tag for tag, _ in elements.all}
    assert not tags & FORBIDDEN
    assert not [name for _, attributes in elements.all for name in attributes if name.startswith("on")]
    assert not [url for url in elements.texts("src") if not url.startswith("data:image/")]
    assert not [url for url in elements.texts("href") if not re.match("https?://|mailto:|#", url)]
    assert html.escape(HOSTILE[kind], quote=False) in body or html.escape(HOSTILE[kind]) in html.unescape(body)


def test_tables_colours_images_formulas_and_highlighted_code_stay_on_the_page(tmp_path):
    table = pd.DataFrame({"score <0, 1>": [0.5, 0.25]}).style.background_gradient().set_caption("two").to_html()
    image = "iVBORw0KGgo="
    cells = [
        nbformat.v4.new_markdown_cell(
            "a $\\frac{1}{2}$\n\n```python\nfor i in 'a':\n    pass\n```\n\n[b](https://example.org)"
        ),
        displayed(text_html=table),
        displayed(image_png=image, text_plain="figure"),
        displayed(text_html='<pre style="white-space:pre"><span style="font-weight: bold">Model</span></pre>'),
    ]
    write_notebook(tmp_path / "a.ipynb", *cells)
    body, broken = notebook_as_html(tmp_path / "a.ipynb")
    assert not broken
    style = re.search(r"(?s)<style.*?>(.*?)</style>", table)[1]
    assert style in body and "background-color" in style
    ids = [attributes["id"] for tag, attributes in Elements(table).all if tag == "td"]
    assert len(ids) == 2 and set(ids) <= set(Elements(body).texts("id"))
    assert "<caption>two</caption>" in body and "score &lt;0, 1&gt;" in body
    assert Elements(body).texts("src") == [f"data:image/png;base64,{image}"]
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in body
    assert '<span class="k">for</span>' in body and '<span style="font-weight: bold">Model</span>' in body
    assert 'href="https://example.org"' in body


def test_absurd_html_is_left_out_and_named_and_the_rest_stays(tmp_path):
    deep = ["<div>" * 20_000, "<b>" * 600 + "</i>" * 600, "<b><i>" * 400 + "</b>" * 400, "<p>x</p>" * 20_000]
    cells = [displayed(text_html=one) for one in deep]
    write_notebook(tmp_path / "a.ipynb", *cells, displayed(text_html="<b>" * 400 + "kept"))
    start = time.monotonic()
    body, faults = notebook_as_html(tmp_path / "a.ipynb")
    assert time.monotonic() - start < 2  # seconds; the sanitiser alone takes more than five for the first
    assert len(faults) == 4 and "number 4, whose HTML is too deep or too long" in faults[-1] and "kept" in body
    assert not is_absurd("<tr><td>1</td></tr>" * 5000) and not is_absurd("<br>" * 5000)


def picture(side=64):
    """A PNG in base64, as a notebook holds it."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 2, (side, side), np.uint8) * 255).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_each_figure_has_the_caption_of_the_function_that_drew_it_and_its_text(tmp_path):
    def drawn(source, count=1, alternative=""):
        metadata = {"image/png": {"alt": alternative}}
        shown = nbformat.v4.new_output("display_data", {"image/png": picture()}, metadata=metadata)
        return nbformat.v4.new_code_cell(source, outputs=[shown] * count)

    cells = [
        nbformat.v4.new_code_cell("maps = partial(figures.class_maps, num_classes=2)"),
        drawn("show(figures.curves(logs))", alternative='x: "epoch" <1>'),
        drawn("for one in two: show(maps(one))", count=2),
        drawn("plt.plot(values)"),
    ]
    write_notebook(tmp_path / "a.ipynb", *cells)
    body, _ = notebook_as_html(tmp_path / "a.ipynb", {"curves": "Curves & more.", "class_maps": "Maps."})
    texts = Elements(body).texts("alt")
    assert texts == ['Curves & more. x: "epoch" <1>', "Maps.", "Maps.", "A figure without a description."]
    assert re.findall("<figcaption>(.*?)</figcaption>", body) == ["Curves &amp; more.", "Maps.", "Maps."]
    image = next(attributes for tag, attributes in Elements(body).all if tag == "img")
    assert (image["width"], image["height"]) == ("64", "64") and image["src"].startswith("data:image/webp;base64,")
    made = base64.b64decode(image["src"].split(",")[1])
    with Image.open(io.BytesIO(made)) as small, Image.open(io.BytesIO(base64.b64decode(picture()))) as given:
        assert np.array_equal(small.convert("L"), given)


def test_headings_follow_the_pages_own_leave_no_level_out_and_have_ids_of_their_own(tmp_path):
    texts = ["# a\n\n[to b](#b)", "#### b", "## c"]
    write_notebook(tmp_path / "a.ipynb", *map(nbformat.v4.new_markdown_cell, texts))
    body, _ = notebook_as_html(tmp_path / "a.ipynb", name="one")
    assert re.findall('<h(.) id="(.*?)"', body) == [("2", "one-a"), ("3", "one-b"), ("3", "one-c")]
    assert body.count("</h2>") == 1 and body.count("</h3>") == 2 and 'href="#one-b"' in body
    assert title_of(tmp_path / "a.ipynb") == "a" and title_of(tmp_path / "07_no_such.ipynb") == "07 no such"


def test_addresses_are_those_that_the_page_gives_them(tmp_path):
    write_notebook(tmp_path / "a.ipynb", nbformat.v4.new_markdown_cell("[b](b.ipynb) and [c](c.ipynb)"))
    body, _ = notebook_as_html(tmp_path / "a.ipynb", link={"b.ipynb": "#b"}.get)
    assert Elements(body).texts("href") == ["#b"] and ">c</a>" in body


def test_the_name_of_a_tables_index_stands_beside_those_of_its_columns(tmp_path):
    table = pd.DataFrame({"score": [0.5], "seeds": [3]}, index=pd.Index(["one"], name="target"))
    columns = pd.MultiIndex.from_product([["dice"], ["mean", "low"]])
    grouped = pd.DataFrame([[1, 2]], index=pd.Index(["one"], name="target"), columns=columns)
    shown = [table.to_html(), table.style.to_html(), grouped.to_html(), table.reset_index(drop=True).to_html()]
    write_notebook(tmp_path / "a.ipynb", *(displayed(text_html=one) for one in shown))
    body, _ = notebook_as_html(tmp_path / "a.ipynb")
    heads = [re.findall("<tr.*?</tr>", head, re.DOTALL) for head in re.findall("(?s)<thead>(.*?)</thead>", body)]
    assert [len(rows) for rows in heads] == [1, 1, 2, 1]
    words = [[re.sub("<.*?>|\\s", "", cell) for cell in re.split("</t[hd]>", rows[-1])[:-1]] for rows in heads]
    assert words == [["target", "score", "seeds"]] * 2 + [["target", "mean", "low"], ["", "score", "seeds"]]
    assert "<th></th>" not in body and body.count('class="wide"') == 4
