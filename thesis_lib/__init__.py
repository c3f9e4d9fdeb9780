"""Training image models when labels are imprecise or missing.

Arrays come in through `data`, `annotators` may spoil them, `prior` says how badly, `smoothing` and
`losses` turn that into what is optimised, `models` and Keras's own `fit` do the training, `metrics`
and `statistics` judge it, and `figures` show it.
"""
