"""Measurements of another machine that are incomplete, wrong or of another form."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.fault_kit import Case

IMPORT = "import-measurements {file} -c run.yaml --metric latency_ms --device toy -o old.h5 --force"
HEAD = "id,value,unit\n"

ROWS = {
    "unknown": "nothing,1,ms",
    "negative": "{id},-1,ms",
    "nan": "{id},nan,ms",
    "word": "{id},fast,ms",
    "unit": "{id},1,parsec",
    "kind": "{id},1,mJ",
    "twice": "{id},1,ms\n{id},2,ms",
    "neither": ",1,ms",
}
FORMS = {
    "empty.csv": "",
    "headless.csv": "a,1\n",
    "wide.csv": f"{HEAD}a,1,ms,4,5\n",
    "quote.csv": f'{HEAD}"a,1,ms\n',
    "cut.json": '[{"id": "a"',
    "object.json": '{"id": "a"}',
    "numbers.json": "[1, 2]",
    "deep.json": "[" * 100_000,
}
OTHERS = {"hw-nas-bench": ("[]", "{", '{"a": 1}'), "ofa": ("a: [", "- a", "a: 1"), "nni": ("{", "3", "[" * 9999)}


def rows(folder: Path) -> None:
    """Files with one wrong row, and one with a block too few."""
    from nascli.component import resolve

    blocks = resolve("search_space", {"use": "tiny", "width": 4}).build().cost_blocks().blocks
    for name, text in ROWS.items():
        (folder / f"{name}.csv").write_text(HEAD + text.format(id=blocks[0].id) + "\n")
    (folder / "holes.csv").write_text(HEAD + "".join(f"{block.id},1,ms\n" for block in blocks[1:]))


def forms(folder: Path) -> None:
    """Files of no form that is known."""
    for name, text in FORMS.items():
        (folder / name).write_text(text)
    (folder / "bytes.csv").write_bytes(HEAD.encode() + b"\xff\xfe,1,ms\n")
    (folder / "folder.csv").mkdir()


def others(folder: Path) -> None:
    """Files that are no tables of other tools, and a pickle that runs code."""
    for form, texts in OTHERS.items():
        for i, text in enumerate(texts):
            (folder / f"{form}-{i}.txt").write_text(text)
    (folder / "code.pickle").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")


CASES = [
    Case("measurements with a wrong row", [IMPORT.format(file=f"{name}.csv") for name in ROWS], 2, ["line "], rows),
    Case("measurements with a hole", [IMPORT.format(file="holes.csv")], 2, ["1 of 28 blocks have no", "--fill"], rows),
    Case(
        "measurements of no known form",
        [IMPORT.format(file=name) for name in (*FORMS, "bytes.csv", "folder.csv", "none.csv")],
        3,
        prepare=forms,
    ),
    Case(
        "tables of other tools that are none",
        [
            f"{IMPORT.format(file=f'{form}-{i}.txt')} --format {form} --unit ms"
            for form, texts in OTHERS.items()
            for i in range(len(texts))
        ]
        + [f"{IMPORT.format(file='code.pickle')} --format hw-nas-bench"],
        3,
        prepare=others,
    ),
]
