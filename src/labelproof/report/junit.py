"""The outcome of a check in the XML of JUnit, which build servers show as tests."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from labelproof.auditing.check import Check

SUITE = "labelproof check"


def junit_xml(check: Check, *, name: str) -> bytes:
    """One test case for each limit; those that are not kept are failures.

    Parameters
    ----------
    check : Check
    name : str
        What was checked: the class name of the cases.
    """
    failures = str(len(check.reasons))
    suites = Element("testsuites", tests=str(len(check.rules)), failures=failures)
    suite = SubElement(suites, "testsuite", name=SUITE, tests=str(len(check.rules)), failures=failures, errors="0")
    for rule in check.rules:
        case = SubElement(suite, "testcase", classname=_printable(name), name=rule.name)
        if rule.passed:
            SubElement(case, "system-out").text = _printable(rule.text)
        else:
            SubElement(case, "failure", message=_printable(rule.text), type=rule.name).text = _printable(rule.text)
    body: bytes = tostring(suites, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body + b"\n"


def _printable(text: str) -> str:
    """Without the control characters that XML does not know."""
    return "".join(c if c.isprintable() else " " for c in text)
