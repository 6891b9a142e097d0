"""Checks of the kinds of targets and of the options, alone and together."""

from __future__ import annotations

from collections.abc import Sequence

from luce.check.calling.arrays import Native
from luce.check.calling.errors import Unsupported
from luce.check.conformance_suite.checks.registry import check
from luce.check.conformance_suite.trial import DEFAULTS, Trial
from luce.check.inputs import cases
from luce.check.inputs.pairs import all_pairs
from luce.check.inputs.problems import FACTORS
from luce.derivation.quantities import OptionValue

PROBLEMS_BY_OPTION: dict[str, list[dict[str, OptionValue]]] = {
    "weight": [{"weight": "some"}, {"weight": "some", "target": "distribution"}],
    "sample_weight": [{"sample_weight": "some"}, {"sample_weight": "some", "target": "distribution"}],
    "ignore_index": [{"target": "ignored"}, {"target": "ignored", "ignore_index": 1}],
    **{
        name: [{name: value} for value in values[1:]]  # beside the default
        for name, values in FACTORS.items()
        if isinstance(values[-1], float)
    },
    "tail": [{"target": "top-k", "tail": "uniform"}],
}
"""Each option, by problems that show it."""

TARGET_KINDS = {
    "distribution": "distributions",
    "unnormalised": "targets of any mass",
    "top-k": "top-k targets",
}


def _enter_kind(kind: str, name: str) -> None:
    """Enter the check of a kind of target."""

    @check(name, cases.TARGETS[kind].reason)
    def run(t: Trial) -> None:
        t.everything(t.problem(target=kind))
        if kind == "top-k":
            for other in ("mixture", "duplicates"):
                t.everything(t.problem(target=other), what=other)


def _enter_option(option: str, problems: Sequence[dict[str, OptionValue]]) -> None:
    """Enter the check of an option."""

    @check(option, f"the option {option}, with every derivative that there is")
    def run(t: Trial) -> None:
        t.require(option)
        for description in problems:
            if option == "normalizer":
                description = {**description, "reduction": "mean"}
            t.everything(t.problem(**description), what=", ".join(f"{k}={v}" for k, v in description.items()))


for _kind, _name in TARGET_KINDS.items():
    _enter_kind(_kind, _name)
for _option, _problems in PROBLEMS_BY_OPTION.items():
    _enter_option(_option, _problems)


@check("options together", "every pair of the options and targets that are taken")
def _together(t: Trial) -> None:
    factors: dict[str, list[Native]] = {"n_classes": [4, 17], "target": [], "reduction": list(t.reductions)}
    for kind in ("index", "distribution", "top-k"):
        try:
            t.value(t.problem(target=kind))
            factors["target"].append("ignored" if kind == "index" and t.it.takes("ignore_index") else kind)
        except Unsupported:
            continue
    for option, descriptions in PROBLEMS_BY_OPTION.items():
        if option != "ignore_index" and t.it.takes(option):
            factors[option] = [DEFAULTS[option], *(d[option] for d in descriptions[:2] if d[option] != "some")]
            factors[option] += ["some"] if len(factors[option]) == 1 else []
    if len(factors) == 3 and len(factors["target"]) < 2:
        raise Unsupported("takes no options")
    for seed, row in enumerate(all_pairs({name: values for name, values in factors.items() if values})):
        t.everything(t.problem(seed=seed, **row), what=", ".join(f"{k}={v}" for k, v in row.items()))
