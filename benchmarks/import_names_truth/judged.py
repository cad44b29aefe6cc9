"""The comparison of one package, and the table of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The names that we read from one package, compared with those of the judge."""

    package: str
    version: str
    ours: frozenset[str]
    truth: frozenset[str]
    stored: tuple[str, ...]
    """The names that the graph has of it."""
    capped: int = 0
    """Names that only the cap leaves out; they count neither as ours nor as missed."""
    transferred: int = 0
    """Bytes that we requested."""
    file_size: int = 0
    """Bytes of the whole artifact; 0 where none was needed."""
    requests: int = 0

    @property
    def recall(self) -> float:
        """The share of the judge's names that we found; 1 if it has none."""
        return len(self.ours & self.truth) / len(self.truth) if self.truth else 1.0

    @property
    def precision(self) -> float:
        """The share of our names that the judge has, too; 1 if we have none."""
        return len(self.ours & self.truth) / len(self.ours) if self.ours else 1.0


def table(judged: Sequence[Judged]) -> str:
    """A Markdown table with a line per package, and the totals below it."""
    columns = (
        "package",
        "version",
        "truth",
        "ours",
        "recall",
        "precision",
        "capped",
        "bytes",
        "of the file",
        "requests",
    )
    lines = [f"| {' | '.join(columns)} |", f"|---|---|{'---:|' * (len(columns) - 2)}"]
    lines += [
        f"| {each.package} | {each.version} | {len(each.truth)} | {len(each.ours)} "
        f"| {each.recall:.3f} | {each.precision:.3f} | {each.capped} | {each.transferred:,} "
        f"| {_share(each)} | {each.requests} |"
        for each in judged
    ]
    right = sum(len(each.ours & each.truth) for each in judged)
    truth = sum(len(each.truth) for each in judged)
    ours = sum(len(each.ours) for each in judged)
    large = [each for each in judged if each.file_size > 1_000_000]
    recall, precision = right / max(1, truth), right / max(1, ours)
    lines += ["", f"All names together: recall {recall:.3f}, precision {precision:.3f}."]
    if large:
        share = median(each.transferred / each.file_size for each in large)
        lines.append(f"Of files above 1 MB, a median of {share:.2%} of the bytes was read.")
    return "\n".join(lines)


def _share(judged: Judged) -> str:
    return f"{judged.transferred / judged.file_size:.2%}" if judged.file_size else "-"
