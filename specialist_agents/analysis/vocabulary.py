"""The words all reviewers share for what they find.

`kind` is a third of a finding's identity, so two tools that see the same mistake must use the same
word. `docs/findings.md` holds these tables for readers; a test keeps both alike. A rule without a
shared word gets one of its own, made of the tool's and the rule's name.
"""

import re

#: Each shared kind and what it means.
KINDS: dict[str, str] = {
    "ambiguous-licence": "a GNU licence that does not say whether later versions count",
    "ambiguous-name": "a name that is easily misread, such as a lone `l`",
    "assert-used": "an assert that vanishes under `python -O`",
    "await-outside-async": "await where nothing can be awaited",
    "bare-except": "an except clause without a type",
    "bidirectional-text": "control characters that make code read differently from what runs",
    "bind-all-interfaces": "a server bound to every interface",
    "blind-except": "an except clause for Exception or BaseException",
    "broken-anchor": "a link to a heading that is not there",
    "broken-example": "an example in a document that does not parse",
    "broken-link": "a link to a file that is not there",
    "changes-together": "two files in different folders that nearly always change together",
    "committed-secret": "a secret in the history, whether or not it was removed since",
    "complex-function": "a function with too many paths through it",
    "conflicting-licence": "a file under another licence than the project says",
    "conflicting-requirement": "an exact version that another place rules out",
    "copyleft-dependency": "a dependency whose licence asks something of what uses it",
    "django-unsafe-markup": "text marked as safe markup without being escaped",
    "docstring-style": "a docstring in another style than the code's",
    "duplicate-requirement": "a requirement stated twice in one place",
    "eval-use": "eval of a string",
    "exec-use": "exec of a string",
    "flask-debug": "Flask's debugger switched on",
    "format-mismatch": "a format string that does not fit its arguments",
    "hardcoded-password": "a password or token in the code",
    "hot-spot": "a file that changes far more often than others",
    "incompatible-override": "a method or attribute that breaks its base class's promise",
    "indentation-style": "an indentation other than the code's",
    "insecure-protocol": "telnet, FTP, old SNMP: everything readable on the way",
    "insecure-temp-file": "a temporary file others can predict or replace",
    "invalid-requirement": "a requirement no tool can read",
    "large-commit": "a commit too large to be reviewed",
    "missing-annotation": "a variable whose type must be written down",
    "missing-docstring": "a public name that says nowhere what it is for",
    "missing-licence": "a file that does not say under which licence it is",
    "missing-return": "a function that promises a value and may end without one",
    "mutable-default": "a default value shared between calls",
    "naming-style": "a name in another style than the code's",
    "no-certificate-check": "a connection whose certificate nobody checks",
    "no-coverage-report": "no coverage report was sent, so nothing is said about tests",
    "no-dependency-metadata": "no requirements were sent, so nothing is said about them",
    "no-history": "no history was sent, so nothing is said about it",
    "not-measured": "a file the coverage report does not know",
    "not-reviewed": "the tool could not review this file",
    "often-fixed": "a file most of whose changes mend something",
    "permissive-file-mode": "a file others may change",
    "possibly-undefined": "a name that is defined on some paths only",
    "quote-style": "quotes other than the code's",
    "redefined-name": "a name defined again before it was used",
    "request-without-timeout": "an HTTP request that may wait for ever",
    "risky-import": "an import of a module that is easy to use unsafely",
    "shadowed-builtin": "a name that hides one of Python's own",
    "shell-injection": "a command passed through a shell",
    "sql-injection": "an SQL statement put together from strings",
    "subprocess-call": "a program started; harmless unless its arguments come from outside",
    "subprocess-partial-path": "a program started by a name looked up in PATH",
    "swallowed-exception": "an exception caught and dropped",
    "syntax-error": "code that does not parse",
    "template-without-escaping": "HTML templates rendered without escaping",
    "type-mismatch": "a value of another type than declared or expected",
    "unclear-commit-message": "a commit that does not say what it is for",
    "undeclared-import": "a module from elsewhere that no requirement brings",
    "undefined-export": "a name in `__all__` that does not exist",
    "undefined-name": "a name nobody defines",
    "unknown-attribute": "an attribute the type does not have",
    "unknown-licence": "a licence that is not on the SPDX list, or not recognised",
    "unknown-option": "an option that documents show and no code knows",
    "unpinned-requirement": "a requirement that may be any version",
    "unreachable-code": "code no path leads to",
    "unreadable-coverage-report": "a file named like a coverage report that is none",
    "unsafe-archive": "an archive unpacked to wherever it says",
    "unsafe-deserialization": "pickle, marshal and the like on data that may be hostile",
    "unsafe-url-open": "a URL opened whose scheme is not checked",
    "unsafe-xml": "an XML parser open to entity attacks",
    "unsafe-yaml-load": "a YAML loader that can create any object",
    "untested-function": "a public function no test has run",
    "unused-argument": "a parameter nobody reads",
    "unused-attribute": "an attribute nobody reads",
    "unused-class": "a class nobody uses",
    "unused-coroutine": "a coroutine that is never awaited",
    "unused-dependency": "a dependency no file imports",
    "unused-function": "a function nobody calls",
    "unused-import": "an import nobody uses",
    "unused-method": "a method nobody calls",
    "unused-property": "a property nobody reads",
    "unused-variable": "a variable nobody reads",
    "used-before-definition": "a name used above its definition",
    "weak-cipher": "a broken cipher or mode",
    "weak-hash": "MD5, SHA-1 or another broken hash",
    "weak-key": "a key too short to hold",
    "weak-random": "a random number an attacker can guess",
    "weak-tls": "a TLS version or set of defaults that is broken",
    "wildcard-injection": "a shell wildcard that file names can turn into options",
    "wrong-arguments": "a call that does not fit the signature",
}

#: Kinds that are about a name: their findings carry it as `symbol`, and it is part of the identity.
NAMED_KINDS: frozenset[str] = frozenset({
    "ambiguous-name", "changes-together", "complex-function", "conflicting-requirement", "copyleft-dependency",
    "duplicate-requirement", "missing-docstring", "mutable-default", "naming-style", "possibly-undefined",
    "redefined-name", "shadowed-builtin", "undeclared-import", "undefined-export", "undefined-name",
    "unpinned-requirement", "untested-function", "unused-argument", "unused-attribute", "unused-class",
    "unused-dependency", "unused-function", "unused-import", "unused-method", "unused-property", "unused-variable",
    "used-before-definition",
})  # fmt: skip

SEVERITIES = ("info", "low", "medium", "high", "critical")


def own_kind(tool: str, rule: str) -> str:
    """Return the kind of a rule that has no shared word, for example `ruff-sim102`."""
    return re.sub(r"[^a-z0-9]+", "-", f"{tool}-{rule}".lower()).strip("-")


def quoted_name(message: str) -> str | None:
    """Return the first name a message puts in quotes or backticks, if it names one."""
    match = re.search(r"[`\"']([^`\"'\s]+)[`\"']", message)
    return match.group(1) if match else None
