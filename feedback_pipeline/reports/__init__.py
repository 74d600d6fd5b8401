"""The weekly and monthly report: one self-contained HTML page, its JSON twin, a digest for chat and numbers for a UI.

In: the frames of `patterns`, `judging` and `training`, gathered by `assemble` into one `content.ReportContent`.
Out: text and bytes. `page.render_html`, `document.render_json`, `digest.render_markdown` and `digest.summary_metadata`
all read the same `ReportContent`, so the page, the file and the message cannot disagree.
"""
