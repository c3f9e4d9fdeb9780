"""What a training on structures that overlap takes as its settings: a prior for each, and what is refused."""

import json
import re

import numpy as np
import pytest

from tests.segmentation.test_structure_run import REGIONS, TINY, scene, write
from thesis_lib.annotation import BoundaryPrior, DisplacementField
from thesis_lib.data import structures, write_image
from thesis_lib.segmentation import Run

SIGMA = {"whole": 0.8, "core": 2.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("discs"))


def test_a_known_prior_serves_all_structures(folder, tmp_path):
    run = Run(**TINY, data=folder, structures=REGIONS, prior_sigma=1.5, output=str(tmp_path))
    assert run.boundary_prior == dict.fromkeys(REGIONS, BoundaryPrior.known(1.5))


def test_each_structure_is_learned_by_the_sigma_and_the_bias_that_are_stated_for_it(folder, tmp_path):
    given = {**TINY, "data": folder, "structures": REGIONS, "output": str(tmp_path)}
    run = Run(**given, prior_sigma=SIGMA, prior_mean={"core": 0.0, "whole": 2.0})
    whole, core = run.loss().losses
    assert (whole.prior, core.prior) == (BoundaryPrior.known(0.8, 2.0), BoundaryPrior.known(2.0))
    assert run.task.biases == {"whole": {"": 2.0}, "core": {"": 0.0}}
    mask = run.task.splits.train.mask(0)
    moved, drawn = run.task.channels(mask, ""), structures(mask, REGIONS)
    assert moved[..., 0].sum() < 0.9 * drawn[..., 0].sum() and np.array_equal(moved[..., 1], drawn[..., 1])
    json.dumps(run.identity)


def test_each_structure_has_a_measured_prior_of_its_own(tmp_path):
    """The outline of the whole is drawn with a sigma of 0.4 px, that of the core with one of 2 px."""
    data = write(tmp_path, biases={"ann": (0, 0), "bob": (0, 0)})
    for number in range(6):
        _, classes = scene(number)
        for seed, person in enumerate(("ann", "bob")):
            whole, core = (
                DisplacementField(sigma, 4.0)((classes > k).astype(np.uint8), 10 * number + seed)
                for k, sigma in enumerate((0.4, 2.0))
            )
            write_image(whole + (whole & core), tmp_path / f"masks_{person}" / f"{number}.png")
    run = Run(**TINY, data=data, structures=REGIONS, judge="bob", annotators=["ann", "bob"], output=str(tmp_path / "r"))
    for kind in ("fitted", "population"):
        priors = run.variant(prior=kind).boundary_prior
        (_, whole), (low, high) = (priors[name].sigma_interval() for name in REGIONS)
        assert whole < 0.8 and 1.2 < low < high < 3.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"structures": {}}, "structures must be 'regions' or a mapping"),
        ({"structures": {"whole": []}}, "got no class of 'whole'"),
        ({"structures": {"a/b": [1]}}, "structures must have names that files can have; got 'a/b'"),
        (
            {"structures": {"core": [2], "core_probability": [1, 2]}},
            "structures must have names whose files differ; got 'core' and 'core_probability'",
        ),
        ({"structures": {"whole": [1.5]}}, "got 1.5 as a class of 'whole'"),
        ({"data": "sample"}, "structures must be left at None where the data are scenes"),
        ({"background": 1}, "background must be left at None where structures overlap: all outside a structure is"),
        ({"prior_sigma": {"whole": 0.8}}, "prior_sigma must have a number for each structure; got none for core"),
        ({"prior_mean": {}}, "prior_mean must have a number for each structure; got none for whole, core"),
        (
            {"prior_sigma": {"whole": 0.8, "cores": 2.0}},
            "a name in prior_sigma must be one of core, whole; got 'cores'; did you mean 'core'?",
        ),
        ({"prior_mean": {**SIGMA, "rim": 1.0}}, "a name in prior_mean must be one of core, whole; got 'rim'"),
        ({"prior_sigma": {**SIGMA, "core": -1}}, "prior_sigma['core'] must be a finite number in [0, inf); got -1"),
        ({"prior_mean": {**SIGMA, "core": "2"}}, "prior_mean['core'] must be a finite number"),
        ({"prior_sigma": [0.8, 2.0]}, "prior_sigma must be a finite number in [0, inf); got [0.8, 2.0]"),
        ({"prior_sigma": {1: 0.8}}, "a name in prior_sigma must be one of core, whole; got '1'"),
        (
            {"structures": None, "prior_sigma": SIGMA},
            "prior_sigma must be one number where no structures are given; got {'whole': 0.8, 'core': 2.0}",
        ),
        ({"structures": None, "prior_mean": SIGMA}, "prior_mean must be one number where no structures are given"),
        (
            {"structures": None, "data": "sample", "tile": 224, "margin": 16, "workers": None, "prior_sigma": SIGMA},
            "prior_sigma must be one number where no structures are given",
        ),
    ],
)
def test_settings_that_do_not_fit_structures_are_refused(folder, wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Run(**{**TINY, "data": folder, "structures": REGIONS, **wrong})
