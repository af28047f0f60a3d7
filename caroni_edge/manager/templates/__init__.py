"""Workflow templates: CWL documents, each compiled once into the plan that workflows run by.

Where a comment names a section of CWL v1.2, it is one of https://www.commonwl.org/v1.2/Workflow.html.
"""
