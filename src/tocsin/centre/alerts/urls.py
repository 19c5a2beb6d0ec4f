"""Addresses of the desk of alerts, and of proposals."""

from __future__ import annotations

from django.urls import path, register_converter

from . import (
    cancelling_views,
    desk_views,
    proposal_views,
    review_views,
    starting_views,
    translation_views,
    writing_views,
)


class AlertConverter:
    """`<alert:reference>`: a reference or a number, and never the name of a page beside them."""

    regex = "[A-Z]{1,20}-[A-Z0-9-]{4,40}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AlertConverter, "alert")

urlpatterns = [
    path("alert-desk/", desk_views.desk, name="alert-desk"),
    path("alert-desk/start/", desk_views.start, name="alert-start"),
    path("alert-desk/begin/", starting_views.begin, name="alert-begin"),
    path("alert-desk/plain/", writing_views.plain, name="alert-plain"),
    path("alert-desk/proposals/", proposal_views.proposals_desk, name="alert-proposals-desk"),
    path("alert-desk/proposals/<str:reference>/", proposal_views.proposal_desk, name="alert-proposal-desk"),
    path("alert-desk/<alert:reference>/", desk_views.alert_page, name="alert-page"),
    path("alert-desk/<alert:reference>/act/", desk_views.act, name="alert-act"),
    path("alert-desk/<alert:reference>/write/", writing_views.write, name="alert-write"),
    path("alert-desk/<alert:reference>/resolve/", writing_views.resolve, name="alert-resolve"),
    path("alert-desk/<alert:reference>/review/", review_views.review, name="alert-review"),
    path("alert-desk/<alert:reference>/preview/", writing_views.preview, name="alert-preview"),
    path("alert-desk/<alert:reference>/versions/", writing_views.versions, name="alert-versions"),
    path("alert-desk/<alert:reference>/cancel/", cancelling_views.cancel, name="alert-cancel"),
    path("alert-desk/<alert:reference>/translations/", translation_views.add_language, name="alert-add-language"),
    path("alert-desk/<alert:reference>/translations/<str:language>/", translation_views.translate,
         name="alert-translate"),
    path("alert-desk/<alert:reference>/translations/<str:language>/check/", translation_views.check,
         name="alert-check"),
    path("alert-proposals/", proposal_views.proposals, name="alert-proposals"),
    path("alert-proposals/propose/", proposal_views.propose, name="alert-propose"),
    path("alert-proposals/<str:reference>/", proposal_views.proposal, name="alert-proposal"),
    path("alert-proposals/<str:reference>/publish/", proposal_views.publish, name="alert-publish-refused"),
]  # fmt: skip
