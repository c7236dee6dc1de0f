"""The course as a book: every chapter executed and rendered to pages that work without network or kernel.

``make book`` writes it to ``build/book``; ``python -m xmlwb.book --help`` says more. What a chapter's kernel imports
from here (`xmlwb.book.widget_snapshots`) must stay light, so this file imports nothing.
"""
