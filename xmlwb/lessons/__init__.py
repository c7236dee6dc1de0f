"""The kit that the chapters are made with: quick checks, exercises with checkers, and progress."""

from __future__ import annotations

from xmlwb.lessons.chapters import CHAPTERS, ChapterInfo
from xmlwb.lessons.checking import check, hint
from xmlwb.lessons.pace import fast, paced, subsample
from xmlwb.lessons.progress_file import progress
from xmlwb.lessons.quiz_view import quiz

__all__ = ["CHAPTERS", "ChapterInfo", "check", "fast", "hint", "paced", "progress", "quiz", "subsample"]
