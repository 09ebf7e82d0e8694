"""Paragraphs of manual pages without their markup."""

from __future__ import annotations

from benchmarks.man_pages import is_english, paragraphs

PAGE = r"""
.TH ls 1
.SH NAME
ls \- a
.SH DESCRIPTION
\fBls\fR zeigt f\(:ur jede der vielen Dateien \(aqviel\(aq \-\-
.BR an ,
\" nothing
und noch mehr\&.
.EX
these are words of an example and no text
.EE
.PP
Zu kurz.
"""


def test_markup_headings_and_examples_are_left_out() -> None:
    assert list(paragraphs(PAGE)) == ["ls zeigt für jede der vielen Dateien 'viel' -- an , und noch mehr."]


def test_paragraphs_in_english_are_known() -> None:
    assert is_english("This is the page that should be read with care")
    assert not is_english("Questa è la pagina di un comando tradotta bene")
