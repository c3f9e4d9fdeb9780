"""Mean teacher (Tarvainen & Valpola, NIPS 2017): agree with a teacher whose weights are the EMA of the student's."""

import keras
from keras import ops

from thesis_lib import checks
from thesis_lib.semi_supervised.base import SemiSupervised
from thesis_lib.semi_supervised.ema import checked_decay, ema_copy, ema_update
from thesis_lib.semi_supervised.unsupervised import probabilities, squared_difference
from thesis_lib.semi_supervised.virtual_adversarial import adversarial_loss


@keras.saving.register_keras_serializable("thesis_lib")
class MeanTeacher(SemiSupervised):
    """Squared difference to the teacher's probabilities on other augmentation and dropout (section 2).

    The teacher predicts. A step first updates the teacher with the weights that the last step left, then asks it. The
    decay is lower in the first steps (see `ema_update`). The teacher's batch normalisation uses its averaged
    statistics. The paper raises the decay from 0.99 to 0.999 when the weight is whole; here the decay stays.

    Args:
        decay: of the EMA copy, in [0, 1). With 0 the teacher is the student with other noise: the pi-model, but for
            batch normalisation.
        adversarial: weight of the virtual adversarial loss that is added, 0 or more (mean teacher + VAT).
        epsilon: of that loss, see `VirtualAdversarial`.
    """

    def __init__(self, classifier, augment=None, weight=1.0, decay=0.999, adversarial=0.0, epsilon=2.0, **options):
        super().__init__(classifier, augment, weight, **options)
        self.decay = checked_decay(decay)
        self.adversarial = checks.real("adversarial", adversarial, 0.0)
        self.epsilon = checks.real("epsilon", epsilon, 0.0, open_low=True)
        self.teacher = ema_copy(classifier)
        self.seeds = keras.random.SeedGenerator()

    @property
    def predictor(self):
        return self.teacher

    def unsupervised_loss(self, inputs, outputs):
        ema_update(self.teacher, self.classifier, self.decay, self.step)
        images = ops.concatenate([inputs["labelled"], inputs["unlabelled"]])
        target = probabilities(self.teacher(self.varied(images), training=True))
        loss = squared_difference(probabilities(outputs["all_logits"]), target)
        if not self.adversarial:
            return loss
        return loss + self.adversarial * adversarial_loss(self.classifier, outputs, self.epsilon, seed=self.seeds)

    def get_config(self):
        own = {name: getattr(self, name) for name in ("decay", "adversarial", "epsilon")}
        return {**super().get_config(), **own}
