"""Short lines that widgets say to the reader; each begins with a word, so that colour is never the only signal."""

from __future__ import annotations

from html import escape


def plain_line(text: str) -> str:
    """One line of HTML that screen readers announce when it changes."""
    return f'<div role="status" aria-live="polite">{escape(text)}</div>'


def warning_line(text: str) -> str:
    """A warning: a word, a border, and a colour."""
    return _boxed("Warning", text, "#b35900")


def error_line(error: BaseException, remark: str = "") -> str:
    """An exception in one line: its type, its message, and a remark on what is left."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return _boxed("Error", f"{text} ({remark})" if remark else text, "#b00020")


def _boxed(word: str, text: str, colour: str) -> str:
    return (
        f'<div role="alert" style="border-left: 4px solid {colour}; padding: 2px 8px">'
        f"<b>{word}.</b> {escape(text)}</div>"
    )
