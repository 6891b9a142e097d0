"""The line that is wrong: it is found, what is said of it is so, and the change makes the function right."""

import importlib.util
import textwrap

import numpy as np
import pytest

import luce.check

HEAD = "import numpy as np\nimport torch\n\n"
# name: (code, function, options, line that is wrong, what it becomes)
CASES = {
    "a dot product of the wrong pair": (
        """
        def loss(logits, target):
            n = logits.shape[0]
            m = logits.max(axis=1, keepdims=True)
            logp = logits - m - np.log(np.exp(logits - m).sum(axis=1, keepdims=True))
            value = -logp[np.arange(n), target].mean()
            dlogp = np.zeros_like(logp)
            dlogp[np.arange(n), target] = -1.0 / n
            dlogits = dlogp - (dlogp * logp).sum(axis=1, keepdims=True)
            return value, dlogits
        """,
        "loss",
        {},
        "dlogits = dlogp - (dlogp * logp).sum(axis=1, keepdims=True)",
        "dlogits = dlogp - np.exp(logp) * dlogp.sum(axis=1, keepdims=True)",
    ),
    "smoothing keeps too much": (
        """
        def smooth_ce(input, target, label_smoothing=0.0):
            onehot = torch.nn.functional.one_hot(target, input.size(-1)).to(input.dtype)
            share = label_smoothing / input.size(-1)
            onehot = onehot * (1.0 - share) + share
            return -(onehot * torch.log_softmax(input, dim=-1)).sum(dim=-1).mean()
        """,
        "smooth_ce",
        {"label_smoothing": 0.1},
        "onehot = onehot * (1.0 - share) + share",
        "onehot = onehot * (1.0 - label_smoothing) + share",
    ),
    "the scale in one term only": (
        """
        def loss(logits, target, temperature=1.0):
            n = len(logits)
            scale = 1.0 / temperature
            z = logits * scale
            z = z - z.max(axis=1, keepdims=True)
            e = np.exp(z)
            total = e.sum(axis=1, keepdims=True)
            value = (np.log(total[:, 0]) - z[np.arange(n), target]).mean()
            grad = scale * e / total
            grad[np.arange(n), target] -= 1.0
            return value, grad / n
        """,
        "loss",
        {},
        "grad[np.arange(n), target] -= 1.0",
        "grad[np.arange(n), target] -= scale",
    ),
    "a known mistake": (
        """
        def loss(z, y):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            value = -np.log(p[np.arange(len(y)), y]).mean()
            grad = p.copy()
            grad[np.arange(len(y)), y] += 1
            return value, grad / len(y)
        """,
        "loss",
        {},
        "grad[np.arange(len(y)), y] += 1",
        "grad[np.arange(len(y)), y] -= 1",
    ),
}


@pytest.fixture
def loaded(tmp_path):
    """Write code to a file and load it; returns the module and the file."""

    def load(code):
        path = tmp_path / "mine.py"
        path.write_text(HEAD + textwrap.dedent(code).lstrip())
        specification = importlib.util.spec_from_file_location("mine", path)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module, path

    return load


@pytest.mark.parametrize("name", CASES)
def test_the_line_and_its_change(name, loaded):
    code, function, options, was, becomes = CASES[name]
    module, path = loaded(code)
    before = path.read_text()
    report = luce.check.gradient(getattr(module, function), **options)
    assert not report.correct and len(report.repairs) == 1, report
    repair = report.repairs[0]
    assert (repair.was, repair.becomes) == (was, becomes)
    lines = before.splitlines()
    assert lines[repair.line - 1].strip() == was
    assert was[repair.column - 1 - (len(lines[repair.line - 1]) - len(was)) :]
    assert repair.computes is not None and not np.allclose(repair.computes, repair.should)
    assert path.read_text() == before  # nothing is written
    said = str(report)
    assert f"line {repair.line}" in said and becomes in said
    assert report.to_dict()["repairs"][0]["proven"] is True and f"+    {becomes}" in report.diff
    lines[repair.line - 1] = lines[repair.line - 1].replace(was, becomes)
    mended, _ = loaded("\n".join(lines).removeprefix(HEAD))
    assert luce.check.gradient(getattr(mended, function), **options).correct


def test_two_mistakes_are_two_lines(loaded):
    module, _ = loaded(
        """
        def loss(z, y):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            value = -np.log(p[np.arange(len(y)), y]).sum()
            grad = p.copy()
            grad[np.arange(len(y)), y] += 1
            grad /= len(y)
            return value / z.shape[1], grad
        """
    )
    report = luce.check.gradient(module.loss)
    assert [repair.line for repair in report.repairs] == [9, 11], report


def test_a_layer_that_keeps_its_gradient(loaded):
    module, _ = loaded(
        """
        class SoftmaxLoss:
            def forward(self, x, y):
                e = np.exp(x - x.max(axis=1, keepdims=True))
                self.p = e / e.sum(axis=1, keepdims=True)
                self.y = y
                return -np.log(self.p[np.arange(len(y)), y]).mean()

            def backward(self):
                self.dx = self.p.copy()
                self.dx[np.arange(len(self.y)), self.y] -= 1
                self.dx *= len(self.y)
                return self.dx
        """
    )
    report = luce.check.gradient(module.SoftmaxLoss)
    assert [repair.becomes for repair in report.repairs] == ["self.dx /= len(self.y)"], report


def test_right_functions_and_functions_without_a_text_have_none(loaded):
    module, _ = loaded(CASES["a known mistake"][0].replace("+= 1", "-= 1"))
    assert luce.check.gradient(module.loss).repairs == ()
    space = {"np": np}
    exec(textwrap.dedent(CASES["a known mistake"][0]), space)
    report = luce.check.gradient(space["loss"])
    assert not report.correct and report.repairs == () and report.diagnosis


def test_it_can_be_left_out(loaded):
    module, _ = loaded(CASES["a known mistake"][0])
    assert luce.check.gradient(module.loss, repair=False).repairs == ()


def test_what_the_code_prints_is_not_printed_by_the_copies(loaded, capsys):
    module, _ = loaded(
        CASES["a known mistake"][0].replace("            value", '            print("seen")\n            value')
    )
    luce.check.gradient(module.loss, repair=False)
    once = capsys.readouterr().out.count("seen")
    luce.check.gradient(module.loss)
    assert capsys.readouterr().out.count("seen") == once


# --- the line to blame where no change is found

BLAMED = {
    "in a loop, the turn at which it shows": (
        """
        def loss(z, y):
            n, k = z.shape
            grad = np.zeros((n, k))
            total = 0.0
            for i in range(n):
                s = z[i] - np.max(z[i])
                p = np.exp(s) / np.sum(np.exp(s))
                total += -np.log(p[y[i]])
                for j in range(k):
                    grad[i, j] = np.tanh(p[j]) * (1 - p[j]) if j == y[i] else p[j]
            return total / n, grad / n
        """,
        "grad[i, j] = np.tanh(p[j]) * (1 - p[j]) if j == y[i] else p[j]",
        {"p": "p, the softmax of row 0", "y": "the labels"},
        "",
    ),
    "a factor that is missing, at the last line": (
        """
        def loss(logits, target, temperature=1.0):
            z = logits / temperature
            z = z - z.max(axis=1, keepdims=True)
            p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
            n = len(target)
            value = -np.log(p[np.arange(n), target]).mean()
            grad = p.copy()
            grad[np.arange(n), target] -= 1
            return value, grad / n
        """,
        "return value, grad / n",
        {"grad": "p − t"},
        "the gradient in the logits, 1/T (p − t) / N",
    ),
}


@pytest.mark.parametrize("name", BLAMED)
def test_the_line_to_blame(name, loaded):
    code, was, reads, is_then = BLAMED[name]
    module, _ = loaded(code)
    report = luce.check.gradient(module.loss)
    assert report.verdict == "wrong" and not report.repairs, report
    fault = report.fault
    assert fault is not None and fault.was == was and dict(fault.given) == reads and fault.is_then == is_then, report
    assert not np.allclose(fault.computes, fault.should)
    assert f"line {fault.line}" in str(report) and "with that value in its place the function is right" in str(report)
    assert report.to_dict()["fault"]["line"] == fault.line


def test_what_reads_something_wrong_is_not_blamed(loaded):
    module, _ = loaded(
        """
        def loss(z, y):
            n = len(y)
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p = p / p.sum(axis=1, keepdims=True)
            q, r = np.sin(3 * p) + np.cos(z), np.tanh(z)
            value = -np.log(p[np.arange(n), y]).mean() + (q - r).sum()
            q = q + 0.5 * r
            return value * r.max(), (q - p) * r
        """
    )
    report = luce.check.gradient(module.loss)
    assert report.verdict == "wrong" and report.fault is None, report


@pytest.mark.parametrize(
    ("shift", "named"), [("max", ["not finite where p rounds to 0"]), ("mean", ["shift by the mean"])]
)
def test_another_shift_is_not_asserted_against_the_run(loaded, shift, named):
    module, _ = loaded(
        f"""
        def softmax(z):
            e = np.exp(z - z.{shift}(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        def loss(z, y):
            p, n = softmax(z), len(y)
            dp = np.zeros_like(p)
            dp[np.arange(n), y] = -1.0 / p[np.arange(n), y] / n
            return -np.log(p[np.arange(n), y]).mean(), dp * p * (1 - p)
        """
    )
    report = luce.check.gradient(module.loss, repair=False)
    assert [m.name for m in report.diagnosis] == ["diagonal of the softmax's derivative only", *named], report


def test_what_only_infinities_tell_is_no_mistake_of_a_right_function(loaded):
    module, _ = loaded(
        """
        def loss(z, y):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            t = np.eye(z.shape[1])[y]
            down = -t / p
            return (down * p - p * (down * p).sum(axis=1, keepdims=True)) / len(y)
        """
    )
    report = luce.check.gradient(module.loss)
    assert report.correct and [m.kind for m in report.diagnosis] == ["limit"], report


def test_of_two_shapes_of_the_weights_the_one_with_the_right_loss(loaded):
    module, _ = loaded(
        """
        def loss(X, W, b, y):
            n = X.shape[0]
            z = X @ W + b
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p = p / p.sum(axis=1, keepdims=True)
            value = -np.mean(np.log(p[range(n), y]))
            p[range(n), y] -= 1
            dz = np.tanh(p) / n
            return value, X.T @ (dz * (1 - dz)), dz.sum(axis=0)
        """
    )
    report = luce.check.gradient(module.loss)
    assert report.verdict == "wrong" and "loss is right" in report.part, report
