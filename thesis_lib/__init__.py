"""Training image models when labels are imprecise or missing.

`data` reads images and labels; `annotation` measures and simulates how people draw; `targets` turns that into what is
optimised; `models` are trained by Keras's own `fit`, in `segmentation` or by the methods of `semi_supervised`;
`metrics` judge one model, `study` compares many runs, and `figures` show them.
"""
