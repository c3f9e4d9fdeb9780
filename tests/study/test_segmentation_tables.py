import pandas as pd
from sweep_cases import USUAL

from thesis_lib.study import segmentation_tables
from thesis_lib.study.comparison import Comparison


def test_tables_and_sentences_say_what_was_found(compared, tmp_path):
    case = "sigma 2 px" + USUAL
    better, worse = ((compared.differences["verdict"] == verdict).sum() for verdict in ("better", "worse"))
    counted = segmentation_tables.count(compared.differences)
    assert counted == (
        f"{len(compared.differences)} comparisons, corrected together (Holm): {better} significantly better, "
        f"{worse} significantly worse."
    )
    findings = segmentation_tables.findings(compared)
    of_case = findings[findings.index(f"**{case}.**") :].split("\n\n")[1].splitlines()
    assert of_case[0] == (
        "- log loss, nats. Significantly better than one-hot: forward likelihood. "
        "Significantly worse than one-hot: posterior soft labels."
    )
    assert "than its counterpart: forward likelihood." in of_case[-1]
    cells = segmentation_tables.side_by_side(compared.differences).loc[(case, "forward likelihood")]
    assert cells["mean surface distance, px"].startswith("-0.6") and cells["log loss, nats"].endswith("] better")
    assert len(segmentation_tables.listed(compared.differences)) == len(compared.differences)
    means = segmentation_tables.means_of(compared, case)
    assert list(means.index) == ["forward likelihood", "one-hot", "soft Dice", "posterior soft labels"]
    fitted = segmentation_tables.fitted_priors(compared)
    assert list(fitted.index) == [
        "forward likelihood",
        "forward likelihood, prior fitted on 20",
        "forward likelihood, prior fitted on 5",
        "one-hot",
    ]
    assert segmentation_tables.losses(compared).empty
    losses = segmentation_tables.losses(Comparison(compared.rows, "forward", resamples=20))
    assert "prior fitted on 5" in set(losses["how"]) and set(losses["objective"]) == {"forward"}
    overview = segmentation_tables.overview(compared)
    assert overview.loc[case, ["runs", "targets", "fewest_seeds", "prior"]].tolist() == [20, 4, 5, "known"]
    segmentation_tables.write(compared.rows, tmp_path)
    assert len(pd.read_csv(tmp_path / "compare_targets.csv")) == 5 * (10 + 3 + 2 + 4)
    assert len(pd.read_csv(tmp_path / "magnitude_sweep.csv")) == 10
