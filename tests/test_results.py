"""RESULTS.md, the tables of README.md and the committed tables follow from the committed rows."""

import pandas as pd
import pytest

from thesis_lib.paths import REPOSITORY
from thesis_lib.study import results, segmentation_runs, statistics
from thesis_lib.study.committed_sweeps import REFERENCE, families, read_differences
from thesis_lib.study.comparison import Comparison
from thesis_lib.study.segmentation_results import SegmentationResults

KEY = ["family", "case", "target", "metric"]
SMALL = "scenes == 4000 or annotator == 'none'"  # cases with few runs


@pytest.fixture(scope="module", params=results.SWEEPS)
def sweep(request):
    """A sweep's name, its rows and its committed table of differences."""
    rows = segmentation_runs.read(REFERENCE / request.param / "runs")
    return request.param, rows, read_differences(request.param)


def test_results_and_readme_are_those_of_the_committed_rows():
    segmentation = SegmentationResults(results.read("compare"), read_differences("compare"))
    remedy = "; `make results` writes it"
    assert (REPOSITORY / "RESULTS.md").read_text() == results.document(segmentation), "RESULTS.md is old" + remedy
    readme = (REPOSITORY / "README.md").read_text()
    assert readme == results.with_blocks(readme, results.blocks()), "a table of README.md is old" + remedy


def test_a_readme_without_a_block_is_refused():
    assert results.with_blocks("a <!-- results: x -->\nold<!-- /results --> b", {"x": r"\1"}) == (
        "a <!-- results: x -->\n\n\\1\n\n<!-- /results --> b"
    )
    with pytest.raises(ValueError, match="must hold a block <!-- results: y -->"):
        results.with_blocks("a", {"y": "new"})


def test_the_table_of_differences_has_every_pair_that_ran(sweep):
    """Differences do not depend on the number of resamples; p-values do, and are not looked at here."""
    _, rows, committed = sweep
    fast = families(Comparison(rows, resamples=2)).set_index(KEY)
    committed = committed.set_index(KEY)
    assert list(fast.index) == list(committed.index)
    assert fast["seeds"].tolist() == committed["seeds"].tolist()
    assert committed["difference"].to_numpy() == pytest.approx(fast["difference"].to_numpy(), rel=1e-9, abs=1e-12)


def test_intervals_and_p_values_are_those_of_the_bootstrap(sweep):
    """On the cases with the fewest runs; the other cases take a minute."""
    _, rows, committed = sweep
    expected = families(Comparison(rows.query(SMALL))).set_index(KEY)
    part = committed.set_index(KEY).loc[expected.index]
    for column in ("low", "high", "p_value"):
        assert part[column].to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-6, nan_ok=True), column


def test_verdicts_are_corrected_for_all_comparisons_of_a_family(sweep):
    _, _, committed = sweep
    for _, table in committed.groupby("family"):
        corrected = statistics.holm(table["p_value"])
        assert table["p_holm"].to_numpy() == pytest.approx(corrected, nan_ok=True)
        assert ((table["verdict"] != "") == (corrected < 0.05)).all()


def test_tables_of_runs_hold_the_committed_rows(sweep):
    name, rows, _ = sweep
    folder = REFERENCE if name == "compare" else REFERENCE / name
    swept = rows["variant"] == "magnitude"
    table = pd.read_csv(folder / "compare_targets.csv").set_index("run")
    expected = rows[~swept].set_index("run")
    assert sorted(table.index) == sorted(expected.index)
    scores = ["miou_foreground", "log_loss", "surface_distance", "surface_distance_median"]
    assert table[scores].to_numpy() == pytest.approx(expected.loc[table.index, scores].to_numpy(), rel=1e-5)
    if swept.any():
        magnitudes = pd.read_csv(folder / "magnitude_sweep.csv")
        assert sorted(magnitudes["run"]) == sorted(rows.loc[swept, "run"])


def test_means_of_a_case_are_of_the_same_seeds(sweep):
    _, rows, _ = sweep
    compared = Comparison(rows)
    plain = compared.alike[compared.alike["variant"] != "magnitude"]
    seeds = plain.groupby(["case", "target"])["seed"].agg(frozenset)
    assert (seeds.groupby("case").nunique() == 1).all()


def test_magnitudes_were_swept_on_fewer_seeds_in_one_case():
    rows = segmentation_runs.read(REFERENCE / "compare/runs")
    swept = rows[rows["variant"] == "magnitude"]
    assert swept["case"].nunique() == 1 and swept["objective"].nunique() == 4
    assert (swept.groupby(["objective", "magnitude"])["seed"].nunique() == 3).all()
