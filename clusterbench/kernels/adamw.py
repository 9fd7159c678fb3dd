"""AdamW and a moving average in one pass over what they move; float32."""

from __future__ import annotations

import math

import numpy as np

from .pair_tiles import fusing


@fusing
def adamw_and_follow(
    gradient: np.ndarray,
    parameter: np.ndarray,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    teacher: np.ndarray,
    shrink: np.float32,
    of_gradient: np.float32,
    beta_2: np.float32,
    of_square: np.float32,
    root_correction: np.float32,
    eps: np.float32,
    step_size: np.float32,
    toward: np.float32,
) -> None:
    """One step of AdamW (Loshchilov and Hutter, arXiv:1711.05101) and of the teacher after it.

    In the order of `torch.optim.AdamW`. All arrays are (n,) float32; all but the gradient are
    overwritten.

    Args:
        gradient: by the parameter.
        parameter: what is trained.
        exp_avg: first moment.
        exp_avg_sq: second moment.
        teacher: moving average of the parameter.
        shrink: 1 - rate * weight decay.
        of_gradient: 1 - beta_1.
        beta_2: of the second moment.
        of_square: 1 - beta_2.
        root_correction: sqrt(1 - beta_2^t) of step t.
        eps: added to the root of the second moment.
        step_size: rate / (1 - beta_1^t).
        toward: 1 - momentum of the teacher.
    """
    for j in range(len(parameter)):
        g = gradient[j]
        m = exp_avg[j] + of_gradient * (g - exp_avg[j])
        v = beta_2 * exp_avg_sq[j] + of_square * g * g
        p = parameter[j] * shrink - step_size * m / (
            np.float32(math.sqrt(v)) / root_correction + eps
        )
        exp_avg[j] = m
        exp_avg_sq[j] = v
        parameter[j] = p
        teacher[j] += toward * (p - teacher[j])
