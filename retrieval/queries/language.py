"""Which language a few words are in, if it is surely not English: by their script, letters or function words.

Detectors of languages need sentences; a query has three words. Only words that English does not have count, so that a
name or a loan word gives no answer.
"""

from __future__ import annotations

import re
import unicodedata

SCRIPTS = {
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CJK": "Chinese or Japanese",
    "CYRILLIC": "Russian or another language in Cyrillic letters",
    "GREEK": "Greek",
    "ARABIC": "Arabic or Persian",
    "HEBREW": "Hebrew",
    "DEVANAGARI": "Hindi",
    "THAI": "Thai",
}
FUNCTION_WORDS = {
    "German": "der das dem des ein eine einen einem einer und mit auf im am vom zum zur beim ohne unter über für nicht "
    "ist sind ich wir hund katze strand kinder berge schnee",
    "French": "le les une des du et avec sur dans sous sans chez au aux est qui chien chat plage "
    "enfants montagne neige",
    "Spanish": "el los las un una y con en por sobre bajo sin del al es que perro gato playa niños montaña nieve",
    "Portuguese": "os uma um com em no na nos nas sob sem ao são que cachorro gato praia crianças montanha neve",
    "Italian": "il lo gli una uno e con su nel nella sulla sotto senza del della che cane gatto spiaggia montagna neve",
    "Dutch": "de het een en met op van onder zonder bij voor niet hond kat strand kinderen bergen sneeuw",
    "Polish": "i na w z pod bez przy jest pies kot plaża dzieci góry śnieg",
    "Swedish": "en ett och med på under utan vid är hund katt strand barn berg snö",
    "Turkish": "bir ve ile altında üstünde köpek kedi plaj çocuklar dağ kar",
}
ENGLISH = frozenset(  # words of the table above that English texts have, too, and words that only English has
    "a an the and of with on in at by for from under over no is are i am des e el en un y o los las de na w z i bei "
    "die war man van berg barn bier san la kar strand plaza hat so do to as or me he we who that this my her his "
    "bath".split()
)
LETTERS = {
    "ß": "German",
    "ñ": "Spanish",
    "ł": "Polish",
    "ż": "Polish",
    "ğ": "Turkish",
    "ı": "Turkish",
    "õ": "Portuguese",
}
WORD = re.compile(r"[^\W\d_]+")


def foreign_language(text: str, *, surely: bool = True) -> str:
    """Return the name of the language of a query if it is surely not English; else an empty text.

    With `surely=False`, words count, too, that English has as well, such as the German "Strand".
    """
    for letter in text:
        if ord(letter) > 0x2AF and letter.isalpha():
            name = unicodedata.name(letter, "").split(" ")[0]
            if name in SCRIPTS:
                kana = any(unicodedata.name(each, "").startswith(("HIRAGANA", "KATAKANA")) for each in text)
                return "Japanese" if kana else SCRIPTS[name]
    words = [word.lower() for word in WORD.findall(unicodedata.normalize("NFC", text))]
    if {"the", "of", "and", "with", "a"} & set(words):
        return ""
    counts = {
        language: sum(word in known and not (surely and word in ENGLISH) for word in words)
        for language, known in ((name, set(entry.split())) for name, entry in FUNCTION_WORDS.items())
    }
    best = max(counts, key=lambda language: counts[language])
    if counts[best]:
        return best
    return next((LETTERS[letter] for word in words for letter in word if letter in LETTERS), "")
