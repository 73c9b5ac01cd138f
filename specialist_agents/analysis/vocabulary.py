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
    "complex-function": "a function with too many paths through it",
    "conflicting-licence": "a file under another licence than the project says",
    "django-unsafe-markup": "text marked as safe markup without being escaped",
    "docstring-style": "a docstring in another style than the code's",
    "eval-use": "eval of a string",
    "exec-use": "exec of a string",
    "flask-debug": "Flask's debugger switched on",
    "format-mismatch": "a format string that does not fit its arguments",
    "hardcoded-password": "a password or token in the code",
    "incompatible-override": "a method or attribute that breaks its base class's promise",
    "indentation-style": "an indentation other than the code's",
    "insecure-protocol": "telnet, FTP, old SNMP: everything readable on the way",
    "insecure-temp-file": "a temporary file others can predict or replace",
    "missing-annotation": "a variable whose type must be written down",
    "missing-licence": "a file that does not say under which licence it is",
    "missing-return": "a function that promises a value and may end without one",
    "mutable-default": "a default value shared between calls",
    "naming-style": "a name in another style than the code's",
    "no-certificate-check": "a connection whose certificate nobody checks",
    "not-reviewed": "the tool could not review this file",
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
    "undefined-export": "a name in `__all__` that does not exist",
    "undefined-name": "a name nobody defines",
    "unknown-attribute": "an attribute the type does not have",
    "unknown-licence": "a licence that is not on the SPDX list, or not recognised",
    "unreachable-code": "code no path leads to",
    "unsafe-archive": "an archive unpacked to wherever it says",
    "unsafe-deserialization": "pickle, marshal and the like on data that may be hostile",
    "unsafe-url-open": "a URL opened whose scheme is not checked",
    "unsafe-xml": "an XML parser open to entity attacks",
    "unsafe-yaml-load": "a YAML loader that can create any object",
    "unused-argument": "a parameter nobody reads",
    "unused-attribute": "an attribute nobody reads",
    "unused-class": "a class nobody uses",
    "unused-coroutine": "a coroutine that is never awaited",
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
    "ambiguous-name", "complex-function", "mutable-default", "naming-style", "possibly-undefined", "redefined-name",
    "shadowed-builtin", "undefined-export", "undefined-name", "unused-argument", "unused-attribute",
    "unused-class", "unused-function", "unused-import", "unused-method", "unused-property",
    "unused-variable", "used-before-definition",
})  # fmt: skip

SEVERITIES = ("info", "low", "medium", "high", "critical")


def own_kind(tool: str, rule: str) -> str:
    """Return the kind of a rule that has no shared word, for example `ruff-sim102`."""
    return re.sub(r"[^a-z0-9]+", "-", f"{tool}-{rule}".lower()).strip("-")


def quoted_name(message: str) -> str | None:
    """Return the first name a message puts in quotes or backticks, if it names one."""
    match = re.search(r"[`\"']([^`\"'\s]+)[`\"']", message)
    return match.group(1) if match else None
