"""
What the words of an operation, a parameter or an answer's field mean, in English, Russian and transliterated.

``cli/roles/words.py`` has the words of a row's fields, which are other ones: there ``from`` is who calls, here it is
when a period begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from airflow_provider_alloincognito.cli.roles.words import split

# By meaning: words; with * and a short ending, as English has them; with ~ and a long one, as Russian has them. Russian
# words are in Latin letters, as ``split`` gives them.
_MEANINGS = {
    "start": "start* begin* began since nachal~ nachat~",
    "end": "end ends ended ending finish* until till konets~ konec~ konts~ konca okonch~",
    "time": "time* date* day days period period~ timestamp ts dt moment* when interval* data daty datu vrem~",
    "duration": "duration* dur len length sec secs second* billsec talktime dlit~ prodolzh~ prodolj~ sekund~",
    "direction": "direction* dir inout napravl~",
    "kind": "type kind tip vid",
    "in": "in inc inbound incoming vhod~ vh",
    "out": "out outg outbound outgoing ishod~ ish",
    "all": "all any both every vse lyub~ oba",
    "phone": "phone* number numbers num nums msisdn* tel telephone* telefon~ extension* ext nomer~ abonent~ "
    "subscriber* did ani dnis",
    "call": "call calls callee caller cdr cdrs zvon~ vyzov~ vizov~ razgov~ conversation*",
    "recording": "record* recording* audio* voice* sound* mp wav zapis~ audiozap~ listen* proslush~",
    "file": "filename file* fayl~ fail fails attachment* blob media",
    "content": "content* body payload base bytes byte binary data soderzh~ soderj~ raw encoded",
    "name": "name* imya imeni nazv~ naimen~ filename title",
    "read": "read isread unread heard listened proslush~ prochit~ prochten~ seen viewed voicemail* golosov~",
    "hash": "hash* hesh~ digest checksum",
    "request": "request* query queries job jobs task tasks ticket operation* zapros~ zadan~ zadach~",
    "handle": "ticket* job*",
    "result": "result* rezult~ response* otvet~ outcome",
    "id": "id ids uuid guid uid key identifier* identif~ ident code handle kod klyuch nomer",
    "access": "access* dostup~ jwt bearer",
    "token": "token* jwt tokin",
    "refresh": "refresh* renew* reissue* prolong* rotate* obnov~ prodl~ pereizd~ perevyp~",
    "create": "create* new issue* make generate* obtain get login signin sozd~ poluch~ vyd~ vypusk~ vypust~ novy~ "
    "novo~",
    "expiry": "exp expir~ ttl valid* until lifetime life lives srok~ istek~ istech~ deystv~ godn~ ends",
    "error": "error* err errors fault* fail failure oshib~ exception problem",
    "status": "status* state sostoyan~",
    "errorcode": "code* kod errcode errno number",
    "message": "message* msg text txt descr description detail* reason* soobsch~ tekst~ opisan~ prichin~ info",
    "page": "page* paging limit offset cursor skip take top per sort* order* stranits~ stranic~",
    "only": "only tolko with has have is exists nalich~ priznak flag est s",
    "stats": "stat stats statist~ report* summary aggregat* chart* dashboard* otchet~ svodk~ grafik~ analytic* count* "
    "total* kpi",
    "live": "active live current online queue queues missed lost aktivn~ tekusch~ ochered~ propusch~",
    "other": "sms message* chat* fax* contact* user users employee* tariff* invoice* balance* payment* meeting* "
    "conference* greeting* avatar* photo* image* voicemail* crm lead* deal* campaign* device* webhook* task* webrtc "
    "kontakt~ polzovat~ soobsch~ schet~ platezh~ tarif~ sotrudnik~ document* dokument~ dogovor~",
    "password": "password* passwd pwd secret login username user parol~ email",
    "utc": "utc gmt grinvich~",
    "moscow": "msk moscow moskov~ moskv~",
    "milliseconds": "ms msec millis millisecond* millisek~",
    "upload": "upload* delete* remove* import* zagruz~ udal~",
    "export": "export* download* csv xlsx excel vygruz~",
}
_AT_LEAST = "from after min gte gt ge low lower ot"
_AT_MOST = "to before max lte lt le high upper do po"
# Too short, or too usual, to say this in a sentence.
_IN_NAMES = {
    "start": f"{_AT_LEAST} s",
    "end": f"{_AT_MOST} thru through kon",
    "at least": _AT_LEAST,
    "at most": _AT_MOST,
    "all": "none",
    "in": "i",
    "out": "o",
}
_LATIN = (("kh", "h"), ("shch", "sch"), ("ij", "iy"), ("ja", "ya"), ("ju", "yu"))
LONGEST_ENDINGS = {"*": 3, "~": 10}
ENDINGS = (0, *LONGEST_ENDINGS.values())

Table = dict[tuple[str, int], set[str]]
"""Beginning of a word, and how many letters may follow, to meanings."""


def _table(*sources: dict[str, str]) -> Table:
    found: Table = {}
    for source in sources:
        for meaning, words in source.items():
            for word in words.split():
                found.setdefault((word.rstrip("*~"), LONGEST_ENDINGS.get(word[-1], 0)), set()).add(meaning)
    return found


_TEXTS = _table(_MEANINGS)
_NAMES = _table(_MEANINGS, _IN_NAMES)


@cache
def _meanings(word: str, in_name: bool) -> frozenset[str]:
    for old, new in _LATIN:
        word = word.replace(old, new)
    table = _NAMES if in_name else _TEXTS
    parts = _parts(word) if in_name and (word, 0) not in table else ()
    if len(parts) > 1:
        return frozenset(meaning for part in parts for meaning in _looked_up(part, table))
    return frozenset(_looked_up(word, table))


def _looked_up(word: str, table: Table) -> set[str]:
    found: set[str] = set()
    for end in range(1, len(word) + 1):
        for longest in ENDINGS:
            if len(word) - end <= longest:
                found |= table.get((word[:end], longest), set())
    return found


def _parts(word: str) -> list[str]:
    """Return the words, two at least, that a word such as ``datefrom`` is made of; none if they are not known."""
    best: dict[int, tuple[int, list[str]]] = {0: (0, [])}
    for end in range(2, len(word) + 1):
        ways = []
        for start in best:
            part = word[start:end]
            if 1 < len(part) < len(word) and _looked_up(part, _NAMES):
                inexact, before = best[start]
                ways.append((inexact + (not _is_exact(part)), [*before, part]))
        if ways:
            best[end] = min(ways, key=lambda way: (way[0], len(way[1])))
    return best.get(len(word), (0, []))[1]


def _is_exact(word: str) -> bool:
    return any((word, longest) in _NAMES for longest in ENDINGS)


@dataclass(frozen=True)
class Said:
    """
    What a name and a description say.

    :param name: in any case style; the names of outer fields before it.
    :param text: the description.
    """

    name: str
    text: str = ""

    @cached_property
    def in_name(self) -> frozenset[str]:
        """The meanings of the name's words."""
        return frozenset(meaning for word in split(self.name) for meaning in _meanings(word, True))

    @cached_property
    def in_text(self) -> frozenset[str]:
        """The meanings of the description's words."""
        return frozenset(self.ordered_text)

    @cached_property
    def ordered_text(self) -> list[str]:
        """The same, in their order."""
        return list(meanings_in(self.text))

    def points(self, meaning: str, in_name: float = 2, in_text: float = 1) -> float:
        """Return the points for a meaning: those of the name, or else those of the description."""
        return in_name if meaning in self.in_name else in_text if meaning in self.in_text else 0

    def has(self, *meanings: str) -> bool:
        """Whether the name or the description says one of these."""
        return any(meaning in self.in_name or meaning in self.in_text for meaning in meanings)

    def names(self, *meanings: str) -> bool:
        """Whether the name says one of these."""
        return not self.in_name.isdisjoint(meanings)


def meanings_in(text: str) -> Iterator[str]:
    """Yield the meanings of a sentence's words, in their order."""
    for word in split(re.sub(r"<[^>]*>", " ", text)):
        yield from sorted(_meanings(word, False))
