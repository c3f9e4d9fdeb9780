"""Several objectives, each trained several times on the same data, and their scores in one table."""

import pandas as pd

from thesis_lib import checks
from thesis_lib.segmentation.run import Run
from thesis_lib.segmentation.scores import Scores


def variants(run, objectives, repeats=1):
    """The runs that compare objectives: the same crops and first weights for all of them, others in each repeat.

    Args:
        run: Run, whose data and settings they share.
        objectives: names, a list.
        repeats: trainings of each objective, with the seeds run.seed, run.seed + 1, ...

    Returns:
        dict from (objective, seed) to Run. Its files lie in OBJECTIVE/ below run.output, or OBJECTIVE/seedN/.

    Raises:
        ValueError: naming an argument of another kind.
    """
    checks.integer("repeats", repeats, 1)
    checks.instance("run", run, Run, "a segmentation.Run")
    checks.listed("objectives", objectives, str, "a list of different names")
    if len(set(objectives)) < len(objectives):
        raise ValueError(f"objectives must be a list of different names; got {objectives!r}")
    runs = {}
    for seed in range(run.seed, run.seed + repeats):
        for objective in objectives:
            below = objective if seed == run.seed else f"{objective}/seed{seed}"
            runs[objective, seed] = run.variant(objective=objective, seed=seed, output=f"{run.output}/{below}")
    return runs


def score_tables(scores):
    """The scores of such runs.

    Args:
        scores: dict from (objective, seed) to `Scores`.

    Returns:
        (DataFrame, DataFrame): a row for each objective, seed and image; and for each objective, seed and class. The
        latter is empty for scenes, whose scores are not by class.

    Raises:
        ValueError: if scores is no such dict.
    """
    are_pairs = isinstance(scores, dict) and all(isinstance(key, tuple) and len(key) == 2 for key in scores)
    if not are_pairs or not scores or not all(isinstance(one, Scores) for one in scores.values()):
        raise ValueError(f"scores must be a dict from (objective, seed) to Scores; got {checks.shown(scores)}")
    names = ["objective", "seed"]
    images = pd.concat({key: one.images for key, one in scores.items()}, names=names)
    classes = {key: one.classes for key, one in scores.items() if one.classes is not None}
    return images, pd.concat(classes, names=names) if classes else pd.DataFrame()
