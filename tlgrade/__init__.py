"""Grades notebooks of people whom nobody can vouch for.

A notebook runs in a box (`box`, `launch`, `provisioner`) that a client process drives (`client`, `run_submission`).
When its kernel is dead, what it wrote is taken (`artefacts`), its functions are called in a second box (`functions`),
and a process that never spoke to the kernel scores them (`grade_one`). `batch` does this for a class, `store` keeps
what was done; `gradebooks`, `feedback` and `class_report` tell of it. What lies in `inside` runs within the box.
"""
