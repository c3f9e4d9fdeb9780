"""`make quick`: two short trainings, side by side, and the page that shows them."""

import re

from thesis_lib.study import quick


def test_the_page_holds_figures_numbers_and_what_to_do_next(tmp_path, capsys):
    path = tmp_path / "quick" / "index.html"
    quick.main(path, steps=2)
    assert str(path) in capsys.readouterr().out
    page = path.read_text()
    assert "$" not in page
    alternatives = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]+)">', page)
    assert len(alternatives) == 2 and "likelihood of shifted boundaries" in alternatives[1]
    rows = re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td>", page)
    assert [name for name, _ in rows] == ["one-hot + soft Dice", "likelihood of shifted boundaries"]
    assert all(0 <= float(dice) <= 1 for _, dice in rows)
    assert "thesis annotators FOLDER" in page
