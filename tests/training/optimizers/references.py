"""Optimisers in numpy and float64, one array at a time, written from the papers."""

import numpy as np


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


def adafactor(
    param,
    gradients,
    rate,
    *,
    decay_rate=0.8,
    offset=0,
    threshold=1.0,
    scaled=True,
    factor_from=128,
    momentum=None,
    decay=0.0,
):
    """Algorithms 4 (matrices) and 5 (vectors) with 6 (clipping) and 8 of arXiv:1804.04235."""
    factored = param.ndim == 2 and min(param.shape) >= factor_from
    rows, columns = (np.zeros(n) for n in param.shape) if factored else (None, None)
    full, average = np.zeros(param.shape), np.zeros(param.shape)
    for step, gradient in enumerate(gradients, start=1):
        kept = 1.0 - float(step - offset) ** -decay_rate
        square = np.square(gradient) + 1e-30
        if factored:
            rows = kept * rows + (1 - kept) * square.mean(axis=1)
            columns = kept * columns + (1 - kept) * square.mean(axis=0)
            second = np.outer(rows, columns) / rows.mean()
        else:
            second = full = kept * full + (1 - kept) * square
        update = gradient / np.sqrt(second)
        update = update / max(1.0, rms(update) / threshold) if threshold else update
        update = rate(step - 1) * update * (max(1e-3, rms(param)) if scaled else 1.0)
        if momentum is not None:
            average = update = momentum * average + (1 - momentum) * update
        decayed = rate(step - 1) * decay * param if param.ndim == 2 else 0.0
        param = param - update - decayed
    return param


def adam(param, gradients, rate, *, b1=0.9, b2=0.999, eps=1e-8, decay=0.0, relative=False):
    """Algorithm 2 of arXiv:1711.05101; `relative` multiplies updates by the parameter's RMS."""
    first = second = np.zeros(param.shape)
    for step, gradient in enumerate(gradients, start=1):
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * np.square(gradient)
        update = first / (1 - b1**step) / (np.sqrt(second / (1 - b2**step)) + eps)
        update = update * max(1e-3, rms(param)) if relative else update
        decayed = decay * param if param.ndim == 2 else 0.0
        param = param - rate(step - 1) * (update + decayed)
    return param


def lamb(param, gradients, rate, *, b1=0.9, b2=0.999, eps=1e-6, decay=0.0):
    """Algorithm 2 of arXiv:1904.00962 for a matrix; without its last two lines for a vector."""
    first = second = np.zeros(param.shape)
    for step, gradient in enumerate(gradients, start=1):
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * np.square(gradient)
        update = first / (1 - b1**step) / (np.sqrt(second / (1 - b2**step)) + eps)
        if param.ndim > 1:
            update = update + decay * param
            update = update * np.linalg.norm(param) / np.linalg.norm(update)
        param = param - rate(step - 1) * update
    return param


def lion(param, gradients, rate, *, b1=0.9, b2=0.99, decay=0.0):
    """Algorithm 2 of arXiv:2302.06675."""
    momentum = np.zeros(param.shape)
    for step, gradient in enumerate(gradients):
        direction = np.sign(b1 * momentum + (1 - b1) * gradient)
        momentum = b2 * momentum + (1 - b2) * gradient
        decayed = decay * param if param.ndim == 2 else 0.0
        param = param - rate(step) * (direction + decayed)
    return param


def newton_schulz(matrix, iterations=5):
    """Section 2.1 of arXiv:2502.16982, equations 2 and 3."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / np.linalg.norm(matrix)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


def muon(param, gradients, rate, *, beta=0.95, nesterov=True, decay=0.0, size=0.2):
    """Equation 4 of arXiv:2502.16982, with its section 2.2's scale; a direction has no size."""
    momentum = np.zeros(param.shape)
    for step, gradient in enumerate(gradients, start=1):
        momentum = beta * momentum + (1 - beta) * gradient
        ahead = momentum
        if nesterov:  # both as averages without bias, as Optax has them
            ahead = beta * momentum / (1 - beta ** (step + 1))
            ahead = ahead + (1 - beta) * gradient / (1 - beta**step)
        update = newton_schulz(ahead) * size * np.sqrt(max(param.shape))
        param = param - rate(step - 1) * (update + decay * param)
    return param
