"""Reports: functions of a run directory; files in, verdicts and pages out."""
