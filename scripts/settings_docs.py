"""Generate the pages that document definitions: ``make docs``.

``template.env`` and ``docs/settings.md`` from the settings, and the tables of properties in
``docs/data-model.md`` from :mod:`ssc_ingest.graph.properties`.

``--check`` writes nothing and exits with 1 if a file differs from the definitions.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import option_name, setting_names
from ssc_ingest.graph import properties
from ssc_ingest.graph.tables import Property
from ssc_ingest.settings import Settings, is_secret

ROOT = Path(__file__).resolve().parent.parent
GROUP_COMMENT = re.compile(
    r"^    # (?P<text>[A-Z].*(?:\n    # .*)*)\n    (?P<field>\w+):", re.MULTILINE
)

TEMPLATE_INTRODUCTION = """\
Settings of SSC Ingest. Copy this file to .env, which is not in git, and change what you
need; environment variables override .env. Every variable is optional and has its default
here. A line that is commented out is an example, or the default on Linux. Each secret
may be in a file instead: REDIS_PASSWORD_FILE=/run/secrets/redis_password.
`make docs` generates this file from ssc_ingest/settings.py and ssc_ingest/ecosystems/."""

PAGE_INTRODUCTION = """\
# Settings

Settings are environment variables, or lines of a file `.env` in the working directory;
environment variables override the file. Unknown variables are ignored, empty ones count as unset.
An invalid value stops the program with a line that names the variable and the remedy. Times are
seconds, sizes bytes, unless a name says otherwise.

{secrets}

A value and a file for one setting, a missing file and an empty one are refused.

[`template.env`](../template.env) has all of them, ready to copy. `make docs` generates both files
from `ssc_ingest/settings.py` and `ssc_ingest/ecosystems/`.
"""


RATE = "Maximum requests a second to its host; if addresses share a host, the lowest rate counts."


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: ``default`` is ``None`` where it is unset."""

    name: str
    about: str
    default: str | None
    example: str = ""
    depends: bool = False
    """Whether the example is the default of this machine."""


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together."""

    title: str
    about: str
    rows: tuple[Row, ...]


def groups() -> Iterator[Group]:
    """All settings, in the order of their definition, then those of each ecosystem."""
    fields = Settings.model_fields
    source = inspect.getsource(Settings)
    starts = {
        match["field"]: re.sub(r"\n    # ", " ", match["text"])
        for match in GROUP_COMMENT.finditer(source)
    }
    about_of = _attribute_docstrings(source)
    names = list(fields)
    firsts = [names.index(name) for name in starts]
    for (_, comment), first, end in zip(
        starts.items(), firsts, [*firsts[1:], len(names)], strict=True
    ):
        title, _, about = comment.partition(". ")
        rows = tuple(_row(name, fields[name], about_of.get(name, "")) for name in names[first:end])
        yield Group(title.removesuffix("."), about, rows)
    for name, cls in ecosystems().items():
        endpoint_rows: list[Row] = []
        for endpoint in cls.identity.endpoints:
            url, rate = setting_names(name, endpoint)
            about = endpoint.about or f"base URL of {endpoint.key!r}"
            about = f"{about[0].upper()}{about[1:].removesuffix('.')}."
            endpoint_rows += (
                Row(url, about, endpoint.url),
                Row(rate, RATE, f"{endpoint.rate:g}"),
            )
        endpoint_rows += (
            Row(option_name(name, option), option.about, option.choices[0])
            for option in cls.identity.options
        )
        yield Group(cls.identity.title, "", tuple(endpoint_rows))


def _attribute_docstrings(source: str) -> dict[str, str]:
    """The text below each field of a class.

    Pydantic can read them, too, but then every process that has settings parses the class.
    """
    return {
        field.target.id: inspect.cleandoc(text)
        for definition in ast.parse(source).body
        if isinstance(definition, ast.ClassDef)
        for field, below in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(text := below.value.value, str)
    }


def _row(name: str, field: FieldInfo, about: str) -> Row:
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    unset = default is None or field.default_factory is not None
    return Row(
        name.upper(),
        " ".join(about.split()),
        default=None if unset else f"{default:g}" if isinstance(default, float) else str(default),
        example=str(field.examples[0]) if field.examples else "",
        depends=field.default_factory is not None,
    )


def template() -> str:
    """The text of ``template.env``."""
    blocks = [_comment(TEMPLATE_INTRODUCTION)]
    for group in groups():
        lines = [f"# --- {group.title} ".ljust(98, "-")]
        if group.about:
            lines += [_comment(group.about), ""]
        for row in group.rows:
            lines.append(_comment(row.about))
            value = row.example if row.default is None else row.default
            lines.append(f"{'# ' if row.default is None else ''}{row.name}={value}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _comment(text: str) -> str:
    # Addresses stay whole.
    filled = textwrap.fill(text, 95, break_on_hyphens=False, break_long_words=False)
    return textwrap.indent(filled, "# ")


def page() -> str:
    """The text of ``docs/settings.md``."""
    secrets = [f"`{name.upper()}`" for name, f in Settings.model_fields.items() if is_secret(f)]
    text = (
        "A secret may be in a file: `REDIS_PASSWORD_FILE=/run/secrets/redis_password` reads "
        "`REDIS_PASSWORD` from there, without the newline at the end. The secrets are "
        f"{', '.join(secrets[:-1])} and {secrets[-1]}."
    )
    blocks = [PAGE_INTRODUCTION.format(secrets=textwrap.fill(text, 100))]
    for group in groups():
        lines = [f"## {group.title}", ""]
        if group.about:
            lines += [group.about, ""]
        lines += ["| Variable | Default | Meaning |", "|---|---|---|"]
        for row in group.rows:
            default = (
                "unset" if row.default is None else f"`{row.default}`" if row.default else "empty"
            )
            about = row.about
            if row.depends:
                default = f"`{row.example}` (Linux)"
            elif row.example:
                about += f" Example: `{row.example}`."
            lines.append(f"| `{row.name}` | {default} | {about} |")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def data_model() -> str:
    """The text of ``docs/data-model.md``; all but the tables of properties stays as it is."""
    text = (ROOT / "docs/data-model.md").read_text(encoding="utf-8")
    for name, table, heading in (
        ("packages", properties.PACKAGE, "On a stub"),
        ("versions", properties.VERSION, "Where unknown"),
        ("requirements", properties.REQUIREMENT, "Where unknown"),
    ):
        begin, end = f"<!-- properties of {name}, by `make docs` -->\n", "<!-- end -->\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        rows = "".join(
            f"| `{p.name}` | {p.type.title} | {_default(p)} | {p.about} |\n"
            for p in table.properties
        )
        head = f"| Property | Type | {heading} | Meaning |\n|---|---|---|---|\n"
        text = f"{before}{begin}{head}{rows}{end}{after}"
    return text


def _default(row: Property) -> str:
    if row.default is None:
        return "absent"
    return "always known" if row.default is ... else f"`{json.dumps(row.default)}`"


def main() -> int:
    """Write, or check with ``--check``."""
    stale = []
    for path, text in (
        (ROOT / "template.env", template()),
        (ROOT / "docs/settings.md", page()),
        (ROOT / "docs/data-model.md", data_model()),
    ):
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        print(f"not what the definitions say: {', '.join(stale)}; run `make docs`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
