"""scripts/golden --check tells a changed value from rounding."""

import copy
import json
import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tools.reference.__main__ import compare  # noqa: E402
from tools.reference.cases import CASES, lengths, prompt  # noqa: E402


@pytest.fixture
def recorded():
    with open(
        os.path.join(ROOT, "tests/golden/parity/odd-b-auto-round.json"), encoding="utf-8"
    ) as f:
        return json.load(f)


def differences(recorded, change):
    fresh = copy.deepcopy(recorded)
    change(fresh)
    return compare("odd-b", recorded, fresh)


def test_equal_values_pass(recorded):
    assert differences(recorded, lambda fresh: None) == []


def test_rounding_passes_and_a_changed_logit_does_not(recorded):
    def move(by):
        def change(fresh):
            fresh["prompts"][4]["rows"][2]["logits"][10] += by

        return change

    assert differences(recorded, move(1e-4)) == []
    assert differences(recorded, move(-1e-2)) != []


def test_a_greedy_token_may_differ_only_where_the_margin_is_small(recorded):
    def other(fresh):
        fresh["prompts"][3]["greedy"][5] += 1

    assert differences(recorded, other) != []
    recorded["prompts"][3]["margins"][5] = 1e-5
    assert differences(recorded, other) == []


@pytest.mark.parametrize("key", ["checkpoint_sha256", "window", "ids"])
def test_another_checkpoint_does_not_pass(recorded, key):
    def change(fresh):
        fresh[key] = "other"

    assert differences(recorded, change) != []


def test_a_loss_that_doubled_does_not_pass(recorded):
    def change(fresh):
        fresh["bf16_loss"]["mean"] *= 2

    assert differences(recorded, change) != []


def test_prompts_are_the_ones_that_were_recorded():
    for case in CASES:
        with open(
            os.path.join(ROOT, f"tests/golden/parity/{case.name}.json"), encoding="utf-8"
        ) as f:
            recorded = json.load(f)
        asked = [p["tokens"] for p in recorded["prompts"]]
        assert [len(tokens) for tokens in asked] == list(lengths(case.sizes))
        for tokens in asked:
            assert tokens in [prompt(case, len(tokens), attempt) for attempt in range(20)]
            assert all(token < case.sizes.vocab - 7 for token in tokens)
