"""What the trainings say: each strategy's ranking beside the truth, its ceiling and trivial baselines, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tests.campaigns.fidelity_findings import Findings
from tests.campaigns.fidelity_statistics import (
    Predictor,
    Statistic,
    Values,
    bootstrap,
    ceiling,
    interval,
    kendall,
    reliability_of_halves,
    reliability_of_seeds,
    spearman,
    tau_of,
    top_regret,
)
from tests.campaigns.fidelity_truth import write_text

DOC = Path(__file__).parents[2] / "docs/fidelity.md"
MARKS = ("<!-- tables: nox -s fidelity -- report -->", "<!-- end of tables -->")
RESAMPLES = 1000
THIRDS = ("tau in the cheapest third", "in the middle third", "in the dearest third")

Row = Sequence[str]


def markdown(title: Row, rows: Sequence[Row]) -> str:
    """A table; all columns but the first are numbers."""
    rule = ["---", *["--:"] * (len(title) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (title, rule, *rows))


def ranged(value: float, resamples: Values, digits: int) -> str:
    """A value and its interval."""
    low, high = interval(resamples)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def truth_table(found: Findings) -> str:
    """The truth, and how sure it is of itself."""
    nll, accuracy = found.nll.mean(1), 100 - found.errors.mean(1)
    rows = [["architectures × seeds", f"{found.nll.shape[0]} × {found.nll.shape[1]}"]]
    for name, values, digits in (("NLL", nll, 3), ("accuracy, %", accuracy, 1)):
        spread = ", ".join(f"{value:.{digits}f}" for value in np.percentile(values, [0, 25, 50, 75, 100]))
        rows.append([f"{name}: least, quartiles, largest", spread])
    rows.append(
        ["NLL of one architecture: standard deviation over seeds, mean", f"{found.nll.std(1, ddof=1).mean():.3f}"]
    )
    for name, reliability in _reliabilities(found).items():
        top = ceiling(reliability)
        rows.append([f"reliability {name}", f"{reliability:.3f}"])
        rows.append(["… its ceiling √reliability; as Kendall's tau", f"{top:.3f}; {tau_of(top):.3f}"])
    return markdown(["the truth", ""], rows)


def _reliabilities(found: Findings) -> dict[str, float]:
    best = found.nll[np.argsort(found.nll.mean(1))[: len(found.nll) // 4]]
    return {
        "by pairs of seeds": reliability_of_seeds(found.nll),
        "by halves": reliability_of_halves(found.nll),
        "within the best quarter, by halves": reliability_of_halves(best),
    }


@dataclass(frozen=True)
class Measure:
    """A statistic of a ranking, and the truth that it is taken against."""

    name: str
    statistic: Statistic
    truth: Values
    digits: int


def measures(found: Findings) -> list[Measure]:
    """Kendall's tau, and regrets."""
    return [
        Measure("Kendall's tau", kendall, found.nll, 2),
        Measure("top-5 regret, NLL", top_regret, found.nll, 4),
        Measure("top-5 regret, points of accuracy", top_regret, found.errors, 2),
        Measure("top-1 regret, points of accuracy", partial(top_regret, k=1), found.errors, 2),
    ]


class Comparison:
    """Every predictor by every measure, with one set of resamples."""

    def __init__(self, found: Findings, resamples: int = RESAMPLES) -> None:
        self.found, self.measures = found, measures(found)
        self.predictors = found.predictors()
        self.drawn = [bootstrap(self.predictors, m.truth, m.statistic, resamples=resamples) for m in self.measures]

    def table(self) -> str:
        """A row for each predictor."""
        rows = [[name, *self._values(name, one), *self._spread(name, one)] for name, one in self.predictors.items()]
        title = ["ranked by", *(m.name for m in self.measures), "tau: spread between seeds", "tau between two of them"]
        return markdown(title, rows)

    def _values(self, name: str, one: Predictor) -> list[str]:
        values = []
        for measure, drawn in zip(self.measures, self.drawn, strict=True):
            value = one.average(measure.statistic, measure.truth)
            values.append("–" if np.isnan(value) else ranged(value, drawn[name], measure.digits))
        return values

    def _spread(self, name: str, one: Predictor) -> list[str]:
        taus, agreement = one.each(kendall, self.found.nll), one.agreement()
        return ["–", "–"] if agreement is None else [f"{np.std(taus, ddof=1):.3f}", f"{agreement:.2f}"]

    def differences(self) -> str:
        """Each predictor against the first strategy, resample by resample."""
        first, *others = self.predictors
        rows = []
        for name in others:
            cells = []
            for m, drawn in zip(self.measures, self.drawn, strict=True):
                values = [self.predictors[which].average(m.statistic, m.truth) for which in (name, first)]
                value, resamples = values[0] - values[1], drawn[name] - drawn[first]
                cells.append("–" if np.isnan(value) else ranged(value, resamples, m.digits))
            rows.append([f"{name} − {first}", *cells])
        return markdown(["difference", *(m.name for m in self.measures)], rows)


def work_sentence(found: Findings) -> str:
    """What the work of a supernet and of training its first five would give without one."""
    n = round(found.trainings) + 5
    nll, errors = (top_regret(np.zeros(len(found.table)), values.mean(1), n) for values in (found.nll, found.errors))
    return (
        f"One supernet trains on as many batches as {found.trainings:.0f} trainings alone. These and the 5 that are "
        f"trained at the end, spent on {n} architectures drawn at random: regret {nll:.4f} in NLL, {errors:.2f} points."
    )


def similar_table(found: Findings, resamples: int) -> str:
    """Kendall's tau among architectures of similar cost."""
    predictors = found.predictors()
    cells: dict[str, list[str]] = {name: [] for name in predictors}
    for rows in np.array_split(np.argsort(found.macs, kind="stable"), len(THIRDS)):
        some = {name: one.among(rows) for name, one in predictors.items()}
        drawn = bootstrap(some, found.nll[rows], kendall, resamples=resamples)
        for name, one in some.items():
            value = one.average(kendall, found.nll[rows])
            cells[name].append("–" if np.isnan(value) else ranged(value, drawn[name], 2))
    return markdown(["ranked by", *THIRDS], [[name, *found_here] for name, found_here in cells.items()])


def other_table(found: Findings) -> str:
    """Other ways to use the same supernets: in the order of `search`, and the mean over all of a strategy."""
    ways = {
        "by the loss": found.by_loss(),
        "by accuracy, then the loss": found.in_order_of_search(),
        "by the mean loss of all its supernets": found.by_mean_loss(),
    }
    rows = [
        [f"{name}, {way}", *(f"{one[name].average(m.statistic, m.truth):.{m.digits}f}" for m in measures(found))]
        for name in found.supernets
        for way, one in ways.items()
    ]
    return markdown(["ranked by", *(m.name for m in measures(found))], rows)


def panel_table(found: Findings) -> str:
    """How the panels settled, and whether that tells anything about the truth."""
    rows = []
    for name, ones in found.supernets.items():
        taus = np.array([[one["tau"] for one in supernet["panel"][1:]] for supernet in ones], dtype=float)
        quarters = [_mean(part[np.isfinite(part)]) for part in np.array_split(taus, 4, axis=1)]
        means = [f"{np.mean([s['panel'][i]['mean'] for s in ones]):.3f}" for i in (0, -1)]
        true = found.by_loss()[name].average(kendall, found.nll)
        rows.append([name, *quarters, *means, f"{true:.2f}"])
    title = ["supernet", "tau with the round before: 1st quarter", "2nd", "3rd", "4th"]
    return markdown([*title, "mean accuracy: first round", "last", "tau with the truth"], rows)


def _mean(values: Values) -> str:
    return f"{values.mean():.2f}" if values.size else "–"


def panel_sentence(found: Findings) -> str:
    """Over all supernets: the last round's tau against tau with the truth."""
    settled = [one["panel"][-1]["tau"] for ones in found.supernets.values() for one in ones]
    true = [tau for one in found.by_loss().values() for tau in one.each(kendall, found.nll)]
    rho = spearman(np.array(settled), np.array(true))
    return (
        f"Rank correlation, over the {len(true)} supernets, of the last round's tau and tau with the truth: {rho:.2f}."
    )


def page(found: Findings, resamples: int = RESAMPLES) -> str:
    """All tables."""
    compared = Comparison(found, resamples)
    parts: dict[str, str] = {
        "The truth": truth_table(found),
        "How near each ranking comes": f"{compared.table()}\n\n{work_sentence(found)}",
        "Against the first of them": compared.differences(),
        "Among architectures of similar MACs": similar_table(found, resamples),
        "Other ways to use the same supernets": other_table(found),
        "How the panels settled": f"{panel_table(found)}\n\n{panel_sentence(found)}",
    }
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in parts.items())


def run_report(data: Path, doc: Path, resamples: int = RESAMPLES) -> int:
    """Print the tables, and put them between the marks of the page."""
    text = page(Findings.read(data), resamples)
    print(text, flush=True)
    before, rest = doc.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    whole = f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}"
    write_text(doc, whole)
    return 0
