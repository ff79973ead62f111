"""
What the words of a field's name or description mean: English, Russian, transliterated, in any case style.

Names of call records are made of few words, so a name is cut into words, each word into a concept of telephony, and
:func:`name_points` says how well the concepts fit a column of the daily DAG.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from airflow_provider_alloincognito.cli.proposal import Role

BEST = 5
"""The points of a name that leaves no doubt."""

_TO_LATIN = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфэ", "abvgdeziyklmnoprstufe", strict=True))
    | {"ё": "e", "ж": "zh", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ы": "y", "ю": "yu", "я": "ya"}
    | {"ъ": "", "ь": ""}
)
_WORD = re.compile(r"[A-ZА-ЯЁ]+(?=[A-ZА-ЯЁ][a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яё]+|[A-ZА-ЯЁ]+")
_SPELLINGS = (("kh", "h"), ("shch", "sch"), ("ij", "iy"), ("ja", "ya"), ("ju", "yu"), ("prodolj", "prodolzh"))

# Whole words, in English and as abbreviations. The words of one concept are equal in meaning.
_WORDS = {
    "start": "start started starting starts begin began begins beginning init initiated initiation setup",
    "end": "end ended ends finish finished stop stopped hangup disconnect disconnected release released",
    "answer": "answer answered connect connected bridge bridged pickup",
    "created": "created create creation insert inserted added",
    "changed": "updated update modified changed deleted processed synced loaded",
    "date": "date datetime timestamp ts dt moment",
    "time": "time at utc local",
    "duration": "duration dur length len elapsed",
    "seconds": "seconds second secs sec",
    "milliseconds": "ms msec millis milliseconds",
    "minutes": "min mins minutes",
    "talk": "talk talking conversation speak bill billing billable billed",
    "wait": "wait waiting ring ringing queue queued hold delay pdd ivr",
    "total": "total full overall",
    "direction": "direction dir",
    "way": "incoming outgoing inbound outbound inout",
    "kind": "type kind",
    "caller": "caller calling from src source orig origin originator initiator ani cli clid",
    "called": "called callee to dst dest destination dialed dialled dnis recipient receiver target",
    "number": "number num no phone tel telephone msisdn",
    "extension": "extension ext",
    "recording": "recording recordings recorded rec",
    "record": "record records",
    "audio": "audio sound mp wav media",
    "file": "file files",
    "link": "link url uri href path",
    "id": "id ids uuid uid guid key identifier ident hash",
    "unique": "unique",
    "call": "call calls cdr session communication conversationid",
    "row": "row entry item",
    "name": "name names title fio",
    "size": "size bytes count qty amount cost price",
    "state": "status state result reason disposition flag is has",
    "voicemail": "voicemail",
    "channel": "channel chan context app data line trunk linked parent external pbx transfer redirect forwarded",
    "person": "user staff client account customer operator manager employee agent contact campaign virtual tariff",
}
# Beginnings of Russian words, in Latin letters.
_STEMS = {
    "start": "nachal nachat start",
    "end": "konec konc kontsa konets okonch zaversh",
    "answer": "otvet soedin",
    "created": "sozdan dobavl",
    "changed": "izmen obnovl udal",
    "date": "data daty datu",
    "time": "vrem",
    "duration": "dlit prodolzhit",
    "seconds": "sek",
    "milliseconds": "millisek",
    "minutes": "minut",
    "talk": "razgov besed",
    "wait": "ozhid dozvon ocher uderzh gudk",
    "total": "obsch",
    "direction": "napravl",
    "way": "vhod ishod",
    "kind": "tip vid",
    "caller": "kto ot otkuda zvonyasch zvoniv vyzyvayusch istochnik initsiator iniciator ishodn",
    "called": "komu kuda vyzyvaem vyzvan naznach poluchatel nabran prinyav prinim adresat",
    "number": "nomer telefon",
    "extension": "dobavochn vnutren",
    "recording": "zapis audiozap",
    "file": "fayl fail",
    "link": "ssylk put",
    "id": "identifik kod klyuch",
    "unique": "unikal",
    "call": "zvon vyzov vizov soob seans",
    "row": "strok",
    "name": "imya imeni naimen nazvan",
    "size": "razmer kolich stoim tsen",
    "state": "status sostoyan rezult prichin priznak flag",
    "voicemail": "golosov",
    "channel": "kanal liniy",
    "person": "abonent klient sotrud operator polzov kontakt",
}
_CONCEPT = {word: concept for concept, words in _WORDS.items() for word in words.split()}
_STEM = sorted(((stem, concept) for concept, stems in _STEMS.items() for stem in stems.split()), reverse=True)
_SHORT_STEMS = 4  # shorter ones are whole words, give or take an ending of one letter

Concepts = frozenset[str]


def concepts(text: str) -> Concepts:
    """
    Return what the words of a text mean; ``?`` stands for any words that are not known.

    :param text: a name in any case style, or a sentence.
    """
    return frozenset(concept for word in split(text) for concept in _meaning(word))


def name_points(role: Role, found: Concepts) -> int:
    """
    Return how well concepts name a column: 0, not at all, to :data:`BEST`.

    :param role: the column.
    :param found: see :func:`concepts`.
    """
    points = _RULES[role](found)
    return max(points - 1, 1) if points and "?" in found else points


def say_nothing(found: Concepts) -> bool:
    """Whether a name tells so little that its field may be anything."""
    return found <= {"?", "call", "row"}


def split(text: str) -> Iterator[str]:
    """Yield the words of a name in any case style, or of a sentence: in small Latin letters."""
    # One letter beside "number" is the telephonist's A or B number: aNumber, b_number, NumberA, nomer_b.
    text = re.sub(r"(?i)\b([ab])[_ -]?(?=num|nomer|phone|msisdn)", r"\1party ", text.strip())
    text = re.sub(r"(?<![A-Za-z])((?i:num|number|nomer|phone|msisdn))(?:[_ -]([abAB])|([AB]))$", r"\1 \2\3party", text)
    for found in _WORD.finditer(text):
        word = found[0].lower()
        if not word.isascii():
            yield word.translate(_TO_LATIN)
            continue
        yield word


@cache
def _meaning(word: str) -> tuple[str, ...]:
    if word in ("aparty", "bparty"):
        return ("caller" if word == "aparty" else "called",)
    if (concept := _concept(word)) is not None:
        return (concept,)
    if parts := _parts(word):
        return tuple(concept for part in parts if (concept := _concept(part)) is not None)
    return ("?",) if len(word) > 2 else ()


def _concept(word: str) -> str | None:
    if word in _CONCEPT:
        return _CONCEPT[word]
    for old, new in _SPELLINGS:
        word = word.replace(old, new)
    for stem, concept in _STEM:
        if word.startswith(stem) and (len(stem) >= _SHORT_STEMS or len(word) <= len(stem) + 1):
            return concept
    return None


def _parts(word: str) -> list[str]:
    """Return the fewest known words that a word such as ``calldate`` is made of; none if it is not."""
    best: dict[int, list[str]] = {0: []}
    for end in range(2, len(word) + 1):
        ways = [best[start] + [word[start:end]] for start in best if _is_part(word[start:end])]
        if ways:
            best[end] = min(ways, key=len)
    return best.get(len(word), [])


def _is_part(text: str) -> bool:
    return len(text) > 1 and text in _CONCEPT


def _any(found: Concepts, names: str) -> bool:
    return not found.isdisjoint(names.split())


def _started_at(found: Concepts) -> int:
    if "talk" in found and "start" in found:
        return 2  # where there is no start of the call, that of the talk
    if _any(found, "end answer changed wait duration seconds milliseconds talk caller called recording size state"):
        return 0
    if "start" in found:
        return BEST if _any(found, "date time") else 4
    if "date" in found:
        return 2 if "created" in found else 3
    return 2 if "time" in found else 0


def _direction(found: Concepts) -> int:
    if "direction" in found:
        return BEST
    if _any(found, "recording audio file number extension id duration date"):
        return 0
    return 3 if "way" in found else 3 if {"kind", "call"} <= found else 2 if "kind" in found else 0


def _party(own: str, other: str) -> Callable[[Concepts], int]:
    def points(found: Concepts) -> int:
        if own not in found or _any(found, f"{other} name time date duration talk channel state recording file size"):
            return 0
        return BEST if "number" in found else 4 if not _any(found, "extension person") else 3

    return points


def _talk_seconds(found: Concepts) -> int:
    if _any(found, "wait answer start end caller called id number cost date size state"):
        return 0
    is_length = _any(found, "duration seconds milliseconds time minutes")
    if "talk" in found:
        return BEST if is_length else 2
    if "duration" in found:
        return 2 if _any(found, "recording record audio file") else 3 if "total" in found else 4
    return 3 if "seconds" in found else 1 if {"call", "time"} <= found else 0


def _record_file_id(found: Concepts) -> int:
    if _any(found, "duration seconds time date size voicemail state wait caller called"):
        return 0
    if _any(found, "recording audio") or {"record", "file"} <= found:
        return BEST if "id" in found else 4 if _any(found, "file link") else 3
    if "record" in found:
        return 3 if "id" in found else 2
    return 2 if {"file", "id"} <= found else 0


def _call_id(found: Concepts) -> int:
    if _any(found, "caller called recording audio file person channel record name kind"):
        return 0
    if "id" not in found:
        return 3 if found == {"number", "call"} else 0
    return BEST if "call" in found else 4 if _any(found, "unique row") else 3


_RULES: dict[Role, Callable[[Concepts], int]] = {
    "started_at": _started_at,
    "direction": _direction,
    "caller": _party("caller", "called"),
    "called": _party("called", "caller"),
    "talk_seconds": _talk_seconds,
    "record_file_id": _record_file_id,
    "call_id": _call_id,
}
