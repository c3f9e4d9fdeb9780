"""Networks: functions from a description to a functional keras.Model that returns logits."""
