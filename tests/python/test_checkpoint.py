"""tools/checkpoint writes the published layout, and the same bytes on every machine."""

import glob
import hashlib
import json
import os
import sys
import tempfile
import unittest

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tools.checkpoint import gemma3, int4, manifest, towers  # noqa: E402
from tools.checkpoint.__main__ import main  # noqa: E402
from tools.checkpoint.presets import PRESETS  # noqa: E402
from tools.checkpoint.write import text_tensors  # noqa: E402
from tools.checkpoint.values import from_bf16_bits, normal_table, to_bf16_bits  # noqa: E402

ITEM = {"F32": "<f4", "I32": "<u4", "F16": "<f2", "BF16": "<u2"}


def read(folder):
    """name -> array of a folder's safetensors files; each must have no gap and no overlap."""
    held = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        with open(path, "rb") as file:
            data = file.read()
        size = int.from_bytes(data[:8], "little")
        table, end = json.loads(data[8 : 8 + size]), 0
        table.pop("__metadata__")
        for name, entry in sorted(table.items(), key=lambda item: item[1]["data_offsets"]):
            first, last = entry["data_offsets"]
            dtype = np.dtype(ITEM[entry["dtype"]])
            assert first == end and first % dtype.itemsize == 0, name
            end = last
            values = np.frombuffer(data[8 + size + first : 8 + size + last], dtype)
            held[name] = values.reshape(entry["shape"])
        assert 8 + size + end == len(data), path
    return held


def make(*options):
    with tempfile.TemporaryDirectory() as folder:
        main([folder, *options])
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            return read(folder), json.load(file)


def unpack(held, base, group):
    """The layout's definition, entry by entry of each nibble: scale (nibble - zero)."""
    words, scales = held[base + ".qweight"], held[base + ".scales"].astype(np.float32)
    nibbles = (words[:, None, :] >> (4 * np.arange(8, dtype=np.uint32))[None, :, None]) & 15
    nibbles = nibbles.reshape(-1, words.shape[1]).astype(np.float32) - 8
    return (nibbles * scales.repeat(group, axis=0)).T


class Layout(unittest.TestCase):
    def test_e4b_has_the_published_tensors(self):
        e4b = PRESETS["e4b"]
        text, dead, tower = manifest.text(e4b), manifest.dead_key_values(e4b), towers.tensors(e4b)
        self.assertEqual((len(text), len(dead), len(tower)), (665, 54, 659 + 752))
        self.assertEqual(sum(t.count for t in text), 7_463_013_418)
        clip_scalars = 4 * (7 * 16 + 10 * 12)  # not counted among the published parameters
        self.assertEqual(sum(t.count for t in tower) - clip_scalars, 169_330_688 + 308_756_768)

    def test_every_preset_has_one_name_for_one_tensor(self):
        for name, sizes in PRESETS.items():
            names = [
                t.name
                for t in text_tensors(sizes)
                + ([] if isinstance(sizes, gemma3.Sizes) else manifest.dead_key_values(sizes))
                + towers.tensors(sizes)
            ]
            self.assertEqual(len(names), len(set(names)), name)

    def test_packed_linears_stand_for_the_plain_ones(self):
        plain, _ = make("--preset", "odd-b", "--seed", "9")
        for form in int4.FORMS:
            packed, config = make(
                "--preset", "odd-b", "--seed", "9", "--form", form, "--group", "32"
            )
            bases = [name.removesuffix(".qweight") for name in packed if name.endswith(".qweight")]
            self.assertGreater(len(bases), 40)
            for base in bases:
                want, got = from_bf16_bits(plain[base + ".weight"]), unpack(packed, base, 32)
                scale = np.abs(packed[base + ".scales"].astype(np.float32)).repeat(32, axis=0).T
                # half a step by rounding; the far end of a full range is clamped by up to one step
                self.assertTrue((np.abs(want - got) <= 1.001 * scale + 1e-7).all(), base)
            zero = 0x88888888 if form == "gptq_v2" else 0x77777777
            self.assertTrue(
                all((v == zero).all() for n, v in packed.items() if n.endswith(".qzeros"))
            )
            self.assertEqual(any(n.endswith(".g_idx") for n in packed), form != "auto-round")
            self.assertEqual(config["quantization_config"]["group_size"], 32)

    def test_auto_round_has_negative_and_subnormal_scales(self):
        packed, _ = make("--preset", "nano", "--form", "auto-round")
        scales = np.concatenate([v.ravel() for n, v in packed.items() if n.endswith(".scales")])
        self.assertTrue((scales < 0).any() and (scales > 0).any())
        self.assertTrue(((np.abs(scales) < 2**-14) & (scales != 0)).any())

    def test_linears_that_stay_plain_are_named_in_the_config(self):
        packed, config = make(
            "--preset", "odd-f", "--form", "auto-round", "--group", "32", "--plain", "down_proj"
        )
        plain = {
            t.name.removesuffix(".weight")
            for t in manifest.text(PRESETS["odd-f"])
            if t.linear and t.name in packed
        }
        self.assertEqual(set(config["quantization_config"]["extra_config"]), plain)
        self.assertIn("model.language_model.layers.0.self_attn.q_proj", plain)  # 48 rows
        self.assertIn("model.language_model.layers.4.mlp.down_proj", plain)  # asked for
        self.assertNotIn("model.language_model.layers.4.mlp.up_proj", plain)

    def test_shards_hold_the_tensors_of_a_single_file(self):
        one, _ = make("--preset", "odd-d", "--dead-kv", "--towers")
        many, _ = make("--preset", "odd-d", "--dead-kv", "--towers", "--shards", "5")
        self.assertEqual(one.keys(), many.keys())
        self.assertTrue(all(np.array_equal(one[name], many[name]) for name in one))


class Values(unittest.TestCase):
    def test_bf16_rounds_to_nearest_even(self):
        bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF], dtype=np.uint32)
        self.assertEqual(
            [hex(b) for b in to_bf16_bits(bits.view(np.float32))],
            ["0x3f80", "0x3f82", "0x3f81", "0x3f80"],
        )

    def test_the_normal_table_is_one(self):
        table = normal_table(1.0).astype(np.float64)
        self.assertAlmostEqual(table.mean(), 0.0, places=6)
        self.assertAlmostEqual(table.std(), 1.0, places=3)

    def test_recorded_checkpoints_come_out_byte_for_byte(self):
        recorded = sorted(glob.glob(os.path.join(ROOT, "tests", "golden", "parity", "*.json")))
        self.assertGreaterEqual(len(recorded), 6)
        for path in recorded:
            with open(path, encoding="utf-8") as file:
                case = json.load(file)
            with tempfile.TemporaryDirectory() as folder:
                main([folder, *case["checkpoint"]])
                total = hashlib.sha256()
                for part in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
                    with open(part, "rb") as file:
                        total.update(file.read())
            self.assertEqual(total.hexdigest(), case["checkpoint_sha256"], path)


if __name__ == "__main__":
    unittest.main()
