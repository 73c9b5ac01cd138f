"""What code imports from elsewhere, and which distributions may bring it.

Read by syntax; nothing is imported to find out, and nothing is looked up but what is installed here.
"""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from specialist_agents.analysis.sources import Source

#: Modules that are not called like what brings them.
BRINGS: dict[str, str] = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "mysqldb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "pkg_resources": "setuptools",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """One import of a module from elsewhere."""

    source: Source
    line: int
    module: str  #: the whole dotted name
    is_optional: bool  #: in a `try`, or for type checkers only

    @property
    def top(self) -> str:
        """Return the first part of the name."""
        return self.module.partition(".")[0]


def distributions_of(module: str, brought: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the names of all that may bring a module: by the table, by what is installed, by its own name."""
    top, *rest = module.split(".")
    names = {top, f"python-{top}", f"py{top}", BRINGS.get(top, top), *brought.get(top, ())}
    names |= {"-".join((top, *rest[:depth])) for depth in range(1, len(rest) + 1)}  # parts of a namespace
    return {canonicalize_name(name) for name in names if name}


def local_names(sources: Sequence[Source]) -> set[str]:
    """Return the first parts of names the files themselves can be imported by, wherever their root is."""
    names = set[str]()
    for source in sources:
        if source.name.endswith((".py", ".pyi")):
            parts = source.name.rsplit(".", 1)[0].split("/")
            names.update(parts)
    return names


def imports_of(source: Source) -> list[Imported]:
    """Return the imports of modules from elsewhere, in the order of the file."""
    return sorted(_imported(source), key=lambda one: one.line)


def _imported(source: Source) -> Iterator[Imported]:
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(source.path.read_bytes()), False)]
    while waiting:
        node, is_optional = waiting.pop()
        is_optional = is_optional or isinstance(node, ast.Try) or _is_for_checkers(node)
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (
            Imported(source, node.lineno, module, is_optional)  # type: ignore[attr-defined]
            for module in modules
            if module.partition(".")[0] not in sys.stdlib_module_names
        )
        waiting.extend((child, is_optional) for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
