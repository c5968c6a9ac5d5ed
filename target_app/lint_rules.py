"""`lint-rules FILE`: what is wrong with the rules of a sale, before it starts."""

from pathlib import Path
from typing import TextIO

import msgspec

from target_app.pricing.linter import lint
from target_app.problems import ProblemError
from target_app.sale import SaleSetup, rules_for, supply_of


def lint_rules(file: Path, *, out: TextIO) -> int:
    """Print all findings about the body of `PUT /ops/sale` in `file`.

    Returns:
        The exit code: 0, or 1 where the shop would refuse the rules, 2 for what is no such body.
    """
    try:
        setup = msgspec.json.decode(file.read_bytes(), type=SaleSetup)
        rules = rules_for(setup)
    except (OSError, msgspec.DecodeError, ProblemError) as error:
        detail = error.details["detail"] if isinstance(error, ProblemError) else error
        out.write(f"{file}: {detail}\n")
        return 2
    findings = lint(rules, supply_of(setup))
    out.writelines(
        f"{finding.severity}: {finding.rule}: {finding.message} [{finding.code}]\n"
        for finding in findings
    )
    return int(any(finding.severity == "error" for finding in findings))
