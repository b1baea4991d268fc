"""Muon: momentum, then the nearest orthogonal matrix by five Newton-Schulz steps.

Source: Keller Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024): the
quintic coefficients.
"""

import torch

_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon:
    """All matrices of one shape are stepped at once."""

    def __init__(self, parameters, rate, decay, momentum=0.95):
        self.groups, self.rate, self.decay, self.momentum, self.scale = (
            {},
            rate,
            decay,
            momentum,
            1.0,
        )
        for parameter in parameters:
            self.groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self.buffers = {
            shape: torch.zeros(len(group), *shape, device=group[0].device)
            for shape, group in self.groups.items()
        }

    @torch.no_grad()
    def step(self):
        rate = self.rate * self.scale
        for shape, group in self.groups.items():
            gradient, buffer = torch.stack([p.grad for p in group]), self.buffers[shape]
            buffer.lerp_(gradient, 1 - self.momentum)
            x = gradient.lerp_(buffer, self.momentum).bfloat16()
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                s = x @ x.mT
                x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=_B, alpha=_C), x, beta=_A)
            x = (x.mT if tall else x).float()
            torch._foreach_mul_(group, 1 - rate * self.decay)
            torch._foreach_add_(
                group, list(x.unbind()), alpha=-rate * max(1, shape[0] / shape[1]) ** 0.5
            )
