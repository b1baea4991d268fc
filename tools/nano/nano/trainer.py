"""The training run: packed batches, two optimisers, held-out scores by teacher forcing."""

import dataclasses
import json
import time

import torch
import torch.nn.functional as F

from . import model as nano
from . import muon, pack, quantise, tasks


_REPORTED = 20  # steps
_LOGGED_S = 15


@dataclasses.dataclass
class Options:
    tokenizer: str
    seconds: float = 400
    batch: int = 32
    length: int = 2048
    muon_rate: float = 0.05
    adam_rate: float = 3e-3
    decay: float = 0.1
    falling: float = 0.6  # the part of the time in which rates fall to zero
    warm_up: int = 100  # steps
    scored: int = 200  # held-out samples of a task
    every: float = 120  # seconds between scores
    workers: int = 14
    seed: int = 1
    rounded: float = 0.4  # the last part of the time in which every other step sees 4-bit weights
    compiled: bool = True


class _Progress:
    """Logs loss and speed, and at times scores."""

    def __init__(self, trainer, every):
        self.trainer, self.every = trainer, every
        self.losses, self.curve, self.loss = [], [], 0.0
        self.next_log, self.next_score = 0.0, every

    def report(self, step, ran):
        options = self.trainer.options
        self.loss = round(torch.stack(self.losses).mean().item(), 5)
        self.losses.clear()
        if ran >= self.next_log:
            speed = step * options.batch * options.length / max(ran, 1)
            self.trainer.log(f"step {step} second {ran:.0f} loss {self.loss} {speed:.0f} tokens/s")
            self.next_log = ran + _LOGGED_S
        if ran >= self.next_score:
            scores = self.trainer.score()
            self.curve.append({"second": round(ran), "step": step, "loss": self.loss, **scores})
            self.trainer.log(json.dumps(self.curve[-1]))
            self.next_score = ran + self.every


class Trainer:
    def __init__(self, options, vocabulary, log):
        self.options, self.log = options, log
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        stream = pack.Stream(options.tokenizer, options.seed, options.batch, options.length)
        self.data = iter(
            torch.utils.data.DataLoader(
                stream,
                batch_size=None,
                num_workers=options.workers,
                pin_memory=self.device == "cuda",
                prefetch_factor=6 if options.workers else None,
            )
        )
        torch.set_float32_matmul_precision("high")
        self.model = nano.build(vocabulary, options.seed, self.device)
        self.named = list(self.model.named_parameters())
        self.held_out = self._held_out()
        self.step_function = (
            torch.compile(self._loss, fullgraph=True, dynamic=False)
            if options.compiled
            else self._loss
        )
        log(
            f"{sum(p.numel() for _, p in self.named)} parameters, "
            f"{len(self.held_out)} batches of held-out samples"
        )

    def _held_out(self):
        from tokenizers import Tokenizer

        tokenizer, encoded = Tokenizer.from_file(self.options.tokenizer), []
        for task in tasks.MIX:
            count = (
                max(1, self.options.scored // 2) if task == "needle_long" else self.options.scored
            )
            samples = tasks.held_out_samples(task, count)
            encoded += [(*pack.encode(tokenizer, sample), task) for sample in samples]
        return list(pack.pack(iter(encoded), self.options.batch, self.options.length))

    def _loss(self, batch):
        ids, samples, positions, flags = batch.long()
        logits = nano.logits(self.model, ids, samples, positions).flatten(0, 1)
        following = ids.roll(-1, 1).flatten()
        weight = (flags.roll(-1, 1).flatten() > 0).float()
        loss = (F.cross_entropy(logits, following, reduction="none") * weight).sum() / weight.sum()
        return loss, (logits.argmax(-1) == following).view(ids.shape)

    def _rounding(self):
        """The quantised matrices, and a function that gives what their 4-bit forms stand for."""
        groups = {}
        for name, parameter in self.named:
            if quantise.is_quantised(name):
                groups.setdefault(tuple(parameter.shape), []).append(parameter)
        matrices = [parameter for group in groups.values() for parameter in group]

        def rounded():
            return [
                matrix
                for group in groups.values()
                for matrix in quantise.nearest(torch.stack(group)).unbind()
            ]

        return matrices, rounded

    def _backward(self, batch, rounding=None):
        """Gradients at the weights, or at their 4-bit forms; the weights stay as they are."""
        if rounding is None:
            loss, _ = self.forward(batch)
            loss.backward()
            return loss.detach()
        matrices, rounded = rounding
        with torch.no_grad():
            kept = [matrix.clone() for matrix in matrices]
            torch._foreach_copy_(matrices, rounded())
        loss = self._backward(batch)
        with torch.no_grad():
            torch._foreach_copy_(matrices, kept)
        return loss

    def forward(self, batch):
        with torch.autocast(self.device, torch.bfloat16):
            return self.step_function(batch)

    def score(self):
        """Exact match of the last answer under teacher forcing: greedy decoding gives it whole."""
        good, total = dict.fromkeys(tasks.MIX, 0), dict.fromkeys(tasks.MIX, 0)
        for batch, tags in self.held_out:
            hit = self.forward(torch.from_numpy(batch).to(self.device))[1].roll(1, 1).cpu().numpy()
            missed = (batch[pack.FLAG] == pack.SCORED) & ~hit
            for row, names in enumerate(tags):
                wrong = set(batch[pack.SAMPLE, row][missed[row]].tolist())
                for number, task in enumerate(names):
                    good[task] += number not in wrong
                    total[task] += 1
        return {task: round(100 * good[task] / total[task], 1) for task in tasks.MIX}

    def _optimisers(self):
        options = self.options

        def chosen(test):
            return [p for name, p in self.named if test(name, p)]

        matrices = chosen(lambda name, p: p.ndim == 2 and "embed" not in name)
        groups = [
            {"params": chosen(lambda name, p: "embed" in name), "lr": options.adam_rate},
            {"params": chosen(lambda name, p: p.ndim < 2), "lr": options.adam_rate / 3},
        ]
        adam = torch.optim.AdamW(
            groups, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0, fused=self.device == "cuda"
        )
        return muon.Muon(matrices, options.muon_rate, options.decay), adam

    def _factor(self, step, ran):
        """What the rates are multiplied by: a warm-up, then a fall to zero."""
        options = self.options
        falling = (1 - ran / options.seconds) / options.falling
        return min(1, (step + 1) / options.warm_up) * min(1, falling)

    def train(self):
        """The clock starts when everything is compiled. Returns what happened."""
        options = self.options
        matrices, adam = self._optimisers()
        rounding = self._rounding()
        rates = [group["lr"] for group in adam.param_groups]
        progress = _Progress(self, options.every)
        step, began = 0, None
        while True:
            batch = next(self.data).to(self.device, non_blocking=True)
            ran = time.time() - began if began else 0.0
            if ran > options.seconds:
                break
            at_rounded = step % 2 and ran > (1 - options.rounded) * options.seconds
            progress.losses.append(self._backward(batch, rounding if at_rounded else None))
            factor = self._factor(step, ran)
            for group, rate in zip(adam.param_groups, rates):
                group["lr"] = rate * factor
            adam.step()
            matrices.scale = factor
            matrices.step()
            for _, parameter in self.named:
                parameter.grad = None
            step += 1
            if began is None or step % _REPORTED == 0:
                progress.report(step, ran)
                began = began or time.time()
        return {
            "steps": step,
            "seconds": round(time.time() - began, 1),
            "tokens": step * options.batch * options.length,
            "loss": progress.loss,
            "curve": progress.curve,
        }

    def score_forms(self):
        """Scores in f32, bf16 and what the 4-bit forms stand for; leaves bf16 weights behind."""
        scores = {"f32": self.score()}
        self.log("f32 " + json.dumps(scores["f32"]))
        kept = nano.shipped(self.model)
        for form in ("gptq", "autoround", "bf16"):
            nano.load(self.model, kept if form == "bf16" else quantise.rounded(kept, form))
            scores[form] = self.score()
            self.log(form + " " + json.dumps(scores[form]))
        return scores, kept
