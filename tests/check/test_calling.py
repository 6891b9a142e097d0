"""Somebody's function: found by its name, its framework seen without a call, its results named."""

import math
import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from luce.check.calling.arrays import to_native, to_numpy
from luce.check.calling.detection import likeliest_framework, likely_frameworks
from luce.check.calling.errors import Unsupported
from luce.check.calling.outputs import Derived, Naming
from luce.check.calling.resolve import FileError, member, resolve
from luce.check.calling.ways import ways_of_calling
from luce.check.inputs.probes import ORDINARY

FILE = """
from collections import OrderedDict

def loss(z, y):
    return 1.0

class Network:
    def __init__(self, rate):
        self.rate = rate

    def loss(self, z, y):
        return 2.0

    @staticmethod
    def plain(z, y):
        return 3.0

    @property
    def broken(self):
        return self.absent

network = Network(0.1)
"""


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    return file


def test_a_function_or_a_method_by_its_name(mine):
    assert resolve(f"{mine}:loss")(None, None) == 1.0
    assert resolve(f"{mine}:Network.loss")(None, None) == 2.0  # its constructor takes an argument
    assert resolve(f"{mine}:Network.plain")(None, None) == 3.0
    assert resolve("numpy.linalg:norm") is np.linalg.norm
    assert member(np, "linalg.norm") is np.linalg.norm


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("loss", "'loss': expected module:function, FILE.py:function"),
        (":loss", "':loss': expected module:function"),
        ("math:", "'math:': expected module:function"),
        ("math:absent", "math has no absent"),
        ("torch.nn.functional:cross_entrpy", "has no cross_entrpy; did you mean cross_entropy\\?$"),
        ("nowhere.py:loss", "nowhere.py: no such file"),
        ("FILE:absent", "mine.py has no absent; it has loss, Network$"),
        ("FILE:Network.absent", r"mine.py has no Network\.absent; it has loss, Network$"),
    ],
)
def test_a_name_that_names_nothing(mine, target, words):
    with pytest.raises(ValueError, match=words):
        resolve(target.replace("FILE", str(mine)))


def test_an_attribute_that_the_file_itself_misses_is_told_with_its_line(mine):
    with pytest.raises(
        FileError, match=r"mine.py, line 20: AttributeError: 'Network' object has no attribute 'absent'"
    ):
        resolve(f"{mine}:network.broken")


def test_a_file_leaves_other_modules_alone(tmp_path):
    (tmp_path / "json.py").write_text("def loss(z, y):\n    return 4.0\n")
    before = sys.modules["json"]
    assert resolve(f"{tmp_path}/json.py:loss")(None, None) == 4.0
    assert sys.modules["json"] is before


def uses_numpy(z, y):
    return np.sum(z)


def uses_torch_by_a_name(z, y):
    return log_softmax(z, 1)


def uses_nothing(z, y):
    return z[0][0]


def test_the_framework_is_seen_without_a_call():
    assert likeliest_framework(uses_numpy) == "numpy"
    assert likeliest_framework(uses_torch_by_a_name) == "torch"
    assert likeliest_framework(uses_nothing) == "torch"  # its module imports it
    assert likeliest_framework(torch.nn.CrossEntropyLoss()) == "torch"
    assert likeliest_framework(math.exp) == "numpy"
    assert likely_frameworks(uses_torch_by_a_name) == ("torch", "numpy", "list")
    assert likely_frameworks(uses_numpy) == ("numpy", "list", "torch")
    assert likely_frameworks(uses_nothing) == ("numpy", "list", "torch")


def test_arrays_go_into_a_framework_and_back():
    values = np.array([[0.5, -1.25], [3.0, 0.0]])
    for framework, dtype in (("numpy", "float32"), ("torch", "bfloat16"), ("torch", "float64"), ("list", "float64")):
        array, kept = to_numpy(to_native(values, framework, dtype))
        np.testing.assert_array_equal(array, values)
        assert kept == ("" if framework == "list" else dtype)
    assert to_native(np.array([1, 2]), "torch", "float32").dtype == torch.int64
    with pytest.raises(Unsupported, match="NumPy has no bfloat16"):
        to_native(values, "numpy", "bfloat16")
    copied = to_native(values, "numpy", "float64")
    copied[0] = 9
    assert values[0, 0] == 0.5


def test_results_are_named_by_the_first_call_and_keep_their_names():
    probe = ORDINARY[0]  # 7 rows, 5 classes
    naming = Naming("loss")
    loss, gradient = np.array(1.0), np.ones((7, 5))
    assert list(naming.named((loss, gradient), probe)) == ["loss", "gradient"]
    assert list(naming.named((gradient, loss), probe)) == ["loss", "gradient"]  # as the first time
    assert list(naming.named({"grad": gradient, "L": loss}, probe)) == ["gradient", "loss"]
    assert list(naming.named(Derived(loss, {"gradient": gradient}), probe)) == ["loss", "gradient"]
    assert Naming("loss").named(gradient, probe)["gradient"] is gradient


def test_a_way_of_calling_learns_for_itself():
    ways = list(ways_of_calling(uses_numpy, framework="numpy"))
    assert len({id(way.naming) for way in ways}) == len(ways)
    assert all(way.naming.columns == way.columns and way.naming.rowwise == way.rowwise for way in ways)
    assert ways[0].usual and ways[0].roles == ("logits", "target") and ways[0].target == "index"
    assert not ways[-1].usual
