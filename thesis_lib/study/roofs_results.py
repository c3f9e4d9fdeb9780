"""The committed results of notebook 8 on roofs in aerial images, as the Markdown of RESULTS.md."""

import pandas as pd

from thesis_lib.study import markdown
from thesis_lib.study.classification_tables import joined
from thesis_lib.study.committed_sweeps import REFERENCE
from thesis_lib.study.segmentation_runs import TITLES


def roofs_section():
    """What is said of notebook 8 on 40 scenes of roofs, in Markdown."""
    scores = pd.read_csv(REFERENCE / "buildings/scores.csv")
    pooled = pd.read_csv(REFERENCE / "buildings/annotators.csv", index_col=0).loc["all, bias taken out"]
    distances = scores.groupby("objective", sort=False)["surface_distance"].mean()
    off = joined(f"{value:.2f} px ({TITLES[name]})" for name, value in distances.items())
    sentences = [
        "Two simulated annotators drew 40 scenes, with a spread of 1.5 px at the boundaries. The estimate from "
        f"their drawings is {pooled['sigma from']:.2f} to {pooled['sigma to']:.2f} px.",
        f"DeepLabV3+ was trained {scores['seed'].nunique()} times on each target, for 300 steps each.",
        f"In {scores['raster'].nunique()} test scenes outlines lie {off} from the true ones.",
        f"{roofs_finding()} Tested were IoU, log loss, mean surface distance and surface Dice.",
        "Roofs have sides of 12 to 26 px, far wider than that error. Where the error pushes outlines outwards as "
        "often as inwards, drawings are nearly right on average.",
        "[The executed notebook](reports/reference/buildings/08_buildings.ipynb) has the details, "
        "[row.json](reports/reference/buildings/row.json) the provenance.",
    ]
    return "\n\n".join(["## Roofs in aerial images", markdown.bullets(sentences)]) + "\n"


def roofs_finding():
    """How many differences between targets on roofs are significant, in a sentence."""
    differences = pd.read_csv(REFERENCE / "buildings/differences.csv", keep_default_na=False)
    significant = (differences["verdict"] != "").sum()
    count = f"{significant or 'none'} of {len(differences)} tested differences {'are' if significant > 1 else 'is'}"
    return f"On roofs in aerial images, {count} significant."
