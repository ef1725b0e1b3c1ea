"""Colours for code blocks: Pygments' tokens under the class names of highlight.js."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound


def names(text: str) -> frozenset[str]:
    """The words of a text: lists that people read and change are easier to keep in this form."""
    return frozenset(text.split())


# Pygments' lexers are regular expressions that a hostile text can slow down: only this much of a document is
# coloured (about 0.15 s of CPU), only these languages, and no block longer than a quarter of it.
MOST_CHARACTERS = 80_000
_BLOCK_MOST = MOST_CHARACTERS // 4
_LANGUAGES = names(
    """
    bash c c++ cpp cs csharp css diff docker dockerfile go graphql html ini java javascript js json jsx
    kotlin less lua make makefile markdown md objective-c perl php py python r rb rs ruby rust scss sh shell
    sql swift toml ts tsx typescript xml yaml yml zsh
    """
)

_WORDS: dict[_TokenType, str] = {
    Token.Comment: "comment",
    Token.Comment.Preproc: "meta",
    Token.Generic.Deleted: "deletion",
    Token.Generic.Emph: "emphasis",
    Token.Generic.Heading: "section",
    Token.Generic.Inserted: "addition",
    Token.Generic.Strong: "strong",
    Token.Generic.Subheading: "section",
    Token.Keyword: "keyword",
    Token.Keyword.Constant: "literal",
    Token.Keyword.Type: "type",
    Token.Name.Attribute: "attr",
    Token.Name.Builtin: "built_in",
    Token.Name.Class: "title",
    Token.Name.Decorator: "meta",
    Token.Name.Entity: "symbol",
    Token.Name.Exception: "title",
    Token.Name.Function: "title",
    Token.Name.Tag: "name",
    Token.Name.Variable: "variable",
    Token.Number: "number",
    Token.Operator.Word: "keyword",
    Token.String: "string",
    Token.String.Interpol: "subst",
    Token.String.Regex: "regexp",
    Token.String.Symbol: "symbol",
}
CLASSES = {f"hljs-{word}" for word in _WORDS.values()}


def highlighted(code: str, language: str) -> str | None:
    """The code as HTML, a span for each token; None when it is too long or of no known language."""
    if len(code) > _BLOCK_MOST:
        return None
    lexer = _lexer(language.lower())
    return None if lexer is None else "".join(_spans(lexer, code))


def _spans(lexer: Lexer, code: str) -> Iterator[str]:
    for token, value in lexer.get_tokens(code):
        word = _word(token)
        text = escape(value, quote=False)
        yield text if word is None else f'<span class="hljs-{word}">{text}</span>'


def _word(token: _TokenType) -> str | None:
    """The word of the token's type or of the nearest type above it."""
    kind: _TokenType | None = token
    while kind is not None:
        if kind in _WORDS:
            return _WORDS[kind]
        kind = kind.parent
    return None


@lru_cache(maxsize=len(_LANGUAGES))
def _lexer(language: str) -> Lexer | None:
    if language not in _LANGUAGES:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
