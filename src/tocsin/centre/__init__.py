"""The topics of the centre, each with rules, models, selectors, services, forms, views.

They import one another only downwards: release, analysis, knowledge, intake, members, then jobs and audit.
"""
