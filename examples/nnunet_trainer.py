"""nnU-Net, trained on imprecise masks with this library's forward likelihood: a trainer class of a few lines.

For one's own data set, let nnU-Net find the class in this folder, and train as usual:

    export nnUNet_extTrainer=$PWD/examples KERAS_BACKEND=torch
    nnUNetv2_train 4 3d_fullres 0 -tr nnUNetTrainerForward

`python examples/nnunet_trainer.py` shows it on volumes of ellipsoids that are made here: it plans, preprocesses, trains
and validates in a folder of its own, and ends in the Dice of the validation. It needs
`pip install '.[torch,medical]' nnunetv2 setuptools` (nnU-Net imports distutils, which setuptools brings).
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from thesis_lib.annotation import BoundaryPrior
from thesis_lib.targets import ForwardLikelihood


class nnUNetTrainerForward(nnUNetTrainer):
    """nnU-Net's trainer with the forward likelihood instead of Dice and cross-entropy.

    `sigma` is the standard deviation of the masks' boundary, in voxels of the spacing that nnU-Net planned. Deep
    supervision has nnU-Net's weights, and the error of the masks shrinks with the resolution.
    """

    sigma = 1.5

    def _build_loss(self):
        if self.label_manager.has_regions:
            raise ValueError("nnUNetTrainerForward needs classes that exclude each other; dataset.json has regions")
        scales = self._get_deep_supervision_scales() if self.enable_deep_supervision else [[1.0]]
        weights = 0.5 ** np.arange(len(scales))
        weights[-1] *= len(scales) == 1
        losses = [
            ForwardLikelihood(BoundaryPrior.known(self.sigma * float(np.mean(scale))), data_format="channels_first")
            for scale in scales
        ]
        ignored = self.label_manager.ignore_label

        def loss(logits, targets):
            if isinstance(logits, torch.Tensor):
                logits, targets = [logits], [targets]
            total = 0
            for weight, of_scale, some, target in zip(weights / weights.sum(), losses, logits, targets):
                labels = target[:, 0].long()
                if ignored is not None:
                    labels = torch.where(labels == ignored, 255, labels)
                if weight:
                    total = total + weight * of_scale(labels, some)
            return total

        return loss


def write_data_set(folder, cases=6, size=24):
    """A data set in nnU-Net's layout: ellipsoids of 1 x 1 x 1 mm voxels, drawn with an error of 1.5 voxels."""
    from scipy import ndimage

    from thesis_lib.data import Volume, write_volume

    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    generator = np.random.default_rng(0)
    for case in range(cases):
        places = np.stack(np.indices((size,) * 3), -1) - generator.uniform(size / 2 - 2, size / 2 + 2, 3)
        outside = (np.linalg.norm(places / generator.uniform(6, 9, 3), axis=-1) - 1) * 7.5
        waves = ndimage.gaussian_filter(generator.standard_normal(outside.shape), 4)
        drawn = (outside < 1.5 * waves / waves.std()).astype(np.uint8)
        image = (outside < 0) + generator.normal(0, 0.5, outside.shape).astype(np.float32)
        write_volume(Volume(image.astype(np.float32), (1, 1, 1)), folder / "imagesTr" / f"case{case}_0000.nii.gz")
        write_volume(Volume(drawn, (1, 1, 1)), folder / "labelsTr" / f"case{case}.nii.gz")
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "object": 1}}
    (folder / "dataset.json").write_text(json.dumps({**about, "numTraining": cases, "file_ending": ".nii.gz"}))


def main(epochs=3, iterations=20):
    """Plan, preprocess, train and validate in a temporary folder; returns the mean Dice of the validation."""
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        os.environ.update({name: str(root / name) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")})
        os.environ.update(nnUNet_n_proc_DA="1", nnUNet_compile="f")
        write_data_set(root / "nnUNet_raw" / "Dataset900_Ellipsoids")
        from nnunetv2.experiment_planning import plan_and_preprocess_api as nnunet

        nnunet.extract_fingerprints([900], num_processes=1)
        nnunet.plan_experiments([900])
        nnunet.preprocess([900], configurations=["3d_fullres"], num_processes=[1])
        prepared = root / "nnUNet_preprocessed" / "Dataset900_Ellipsoids"
        plans = json.loads((prepared / "nnUNetPlans.json").read_text()) | {"continue_training": False}
        about = json.loads((prepared / "dataset.json").read_text())
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        trainer = nnUNetTrainerForward(plans, "3d_fullres", 0, about, device)
        trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = (
            epochs,
            iterations,
            2,
        )
        os.environ.update(nnUNet_n_proc_DA="0")  # augments in this process
        trainer.run_training()
        trainer.perform_actual_validation()
        summary = json.loads((Path(trainer.output_folder) / "validation" / "summary.json").read_text())
    dice = summary["foreground_mean"]["Dice"]
    print(f"Dice of the validation, against drawn masks: {dice:.3f}")
    return dice


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=20, help="of an epoch")
    main(**vars(parser.parse_args()))
