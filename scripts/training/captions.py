"""Caption files, and the words of the ImageNet classes, as training text.

Knows CSV and words; does not know tensors.
"""

from __future__ import annotations

import csv
import random
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = ("{}", "a {}", "a photo of a {}", "a picture of a {}", "a close up of a {}", "there is a {}")

# Everyday words for ranges of ImageNet classes, whose own names are often rarer than what people type.
EVERYDAY: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 6, ("fish",)), (2, 4, ("shark",)), (7, 8, ("chicken",)), (10, 23, ("bird",)), (24, 24, ("owl",)),
    (30, 32, ("frog",)), (33, 37, ("turtle",)), (38, 48, ("lizard",)), (49, 50, ("crocodile",)),
    (51, 51, ("dinosaur",)), (52, 68, ("snake",)), (72, 77, ("spider",)), (80, 100, ("bird",)),
    (88, 88, ("parrot",)), (97, 97, ("duck",)), (99, 99, ("goose",)), (107, 107, ("jellyfish",)),
    (118, 121, ("crab",)), (127, 146, ("bird",)), (130, 130, ("flamingo",)), (144, 144, ("pelican",)),
    (145, 145, ("penguin",)), (147, 148, ("whale",)), (150, 150, ("seal",)), (151, 268, ("dog",)),
    (269, 275, ("wolf",)), (277, 280, ("fox",)), (281, 285, ("cat", "kitten")), (286, 287, ("wild cat",)),
    (288, 290, ("leopard",)), (291, 291, ("lion",)), (292, 292, ("tiger",)), (294, 297, ("bear",)),
    (300, 307, ("beetle", "insect")), (308, 308, ("fly", "insect")), (309, 309, ("bee", "insect")),
    (310, 310, ("ant", "insect")), (319, 320, ("dragonfly", "insect")), (321, 326, ("butterfly",)),
    (330, 332, ("rabbit",)), (335, 335, ("squirrel",)), (339, 339, ("horse",)), (340, 340, ("zebra",)),
    (341, 342, ("pig",)), (345, 346, ("cow",)), (348, 349, ("sheep",)), (350, 350, ("goat",)),
    (354, 355, ("camel",)), (365, 384, ("monkey", "ape")), (385, 386, ("elephant",)), (388, 388, ("panda",)),
    (389, 397, ("fish",)), (404, 404, ("airplane", "jet")), (405, 405, ("airship", "blimp")),
    (407, 407, ("ambulance",)), (417, 417, ("hot air balloon",)), (436, 436, ("car",)),
    (440, 440, ("bottle of beer",)), (444, 444, ("bicycle",)), (450, 450, ("sled",)), (463, 463, ("bucket",)),
    (466, 466, ("train",)), (468, 468, ("taxi", "car")), (471, 471, ("cannon",)), (472, 472, ("canoe", "boat")),
    (479, 479, ("car wheel",)), (483, 483, ("castle",)), (484, 484, ("sailing boat",)), (487, 487, ("phone",)),
    (497, 497, ("church",)), (498, 498, ("cinema",)), (504, 504, ("cup of coffee", "mug")),
    (508, 508, ("keyboard",)), (511, 511, ("car", "convertible")), (510, 510, ("ship",)),
    (526, 526, ("desk",)), (527, 527, ("desktop computer",)), (528, 528, ("telephone",)),
    (546, 546, ("guitar",)), (554, 554, ("fire boat",)), (555, 555, ("fire truck",)), (562, 562, ("fountain",)),
    (569, 569, ("garbage truck",)), (576, 576, ("gondola", "boat")), (579, 579, ("piano",)),
    (609, 609, ("jeep", "car")), (620, 620, ("laptop", "computer")), (627, 627, ("limousine", "car")),
    (628, 628, ("ocean liner", "cruise ship")), (656, 656, ("minivan", "car")), (657, 657, ("rocket", "missile")),
    (661, 661, ("old car",)), (665, 665, ("moped", "scooter")), (670, 670, ("motorcycle",)),
    (671, 671, ("mountain bike", "bicycle")), (673, 673, ("computer mouse",)), (698, 698, ("palace",)),
    (701, 701, ("parachute",)), (717, 717, ("pickup truck",)), (724, 724, ("pirate ship",)),
    (734, 734, ("police car",)), (751, 751, ("race car",)), (760, 760, ("refrigerator",)),
    (779, 779, ("school bus", "yellow bus", "bus")), (781, 781, ("scoreboard",)), (795, 795, ("skier",)),
    (802, 802, ("snowmobile",)), (805, 805, ("soccer ball",)), (812, 812, ("rocket", "space shuttle", "rocket launch")),
    (814, 814, ("speedboat", "boat")), (817, 817, ("sports car",)), (820, 820, ("steam train",)),
    (829, 829, ("tram",)), (833, 833, ("submarine",)), (849, 849, ("teapot",)), (850, 850, ("teddy bear",)),
    (852, 852, ("tennis ball",)), (864, 864, ("tow truck",)), (866, 866, ("tractor",)), (867, 867, ("truck",)),
    (874, 874, ("trolley bus",)), (879, 879, ("umbrella",)), (888, 888, ("bridge",)), (889, 889, ("violin",)),
    (914, 914, ("yacht", "sailboat")), (917, 917, ("comic book",)), (920, 920, ("traffic light",)),
    (925, 925, ("soup",)), (928, 928, ("ice cream", "dessert")), (931, 931, ("bagel",)),
    (933, 933, ("burger", "hamburger")),
    (934, 934, ("hot dog",)), (936, 939, ("vegetables",)), (948, 957, ("fruit",)), (948, 948, ("apple",)),
    (949, 949, ("strawberries",)), (954, 954, ("bananas",)), (959, 959, ("pasta",)), (963, 963, ("pizza",)),
    (965, 965, ("burrito",)), (966, 966, ("glass of red wine",)), (967, 967, ("coffee", "cup of coffee")),
    (968, 968, ("cup", "cup of tea")), (970, 970, ("mountain", "mountains")), (972, 972, ("cliff",)),
    (973, 973, ("coral reef", "underwater")), (974, 974, ("geyser",)), (975, 975, ("lake", "lakeside")),
    (976, 978, ("beach", "seashore")), (979, 979, ("valley",)), (980, 980, ("volcano", "lava", "eruption")),
    (981, 981, ("baseball player",)), (982, 982, ("groom", "wedding")), (983, 983, ("scuba diver",)),
    (985, 986, ("flower",)), (991, 997, ("mushroom",)),
)  # fmt: skip


# What people are by their work or play: words that photos' captions rarely use and searches do.
OCCUPATIONS = (
    "actor architect artist astronaut athlete baker ballerina banker barber bartender bride builder butcher "
    "captain carpenter chef clown coach cook cowboy cyclist dancer dentist designer detective diver doctor driver "
    "drummer electrician engineer explorer farmer firefighter fisherman gardener goalkeeper guard guitarist "
    "gymnast hairdresser hiker hunter journalist judge king knight lawyer librarian lifeguard magician mechanic "
    "miner model monk musician nurse officer painter paramedic photographer pianist pilot pirate plumber "
    "policeman politician postman priest princess professor queen referee reporter runner sailor scientist "
    "sculptor secretary singer skater skier soldier student surfer surgeon swimmer tailor teacher technician "
    "tourist violinist waiter waitress welder wizard worker writer "
).split()
_TABLES = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
ALSO: dict[str, list[str]] = _TABLES["also"]
SYNONYMS: dict[str, list[str]] = _TABLES["synonyms"]
PERSON = re.compile(r"\b(man|woman|person|guy|lady|girl|boy)\b", re.IGNORECASE)


def paraphrased(caption: str, luck: random.Random) -> str:
    """The caption with other words: synonyms where there are some, or an occupation for its person."""
    words = [luck.choice(SYNONYMS[word]) if word in SYNONYMS else word for word in caption.split()]
    other = re.sub(r"\ba (?=[aeiou])", "an ", " ".join(words))
    return other if luck.random() < 0.5 else employed(caption, luck)


def employed(caption: str, luck: random.Random) -> str:
    """The caption with an occupation for, or after, its first person; as it is where there is no person."""
    occupation = luck.choice(OCCUPATIONS)
    pattern = occupation if luck.random() < 0.5 else rf"\1 {occupation}"
    return PERSON.sub(pattern, caption, count=1)


@dataclass(frozen=True)
class Captioned:
    """Pictures in the order of their file, each with all its captions."""

    pictures: tuple[Path, ...]
    captions: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.pictures)


def read(table: Path, folder: Path) -> Captioned:
    """Read a CSV with the columns `image` and `caption`; a picture may stand on several rows."""
    rows: dict[str, list[str]] = {}
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            rows.setdefault(row["image"], []).append(row["caption"].strip())
    missing = next((name for name in rows if not (folder / name).is_file()), None)
    if missing:
        raise SystemExit(f"{table}: the picture {missing} is not in {folder}")
    return Captioned(tuple(folder / name for name in rows), tuple(map(tuple, rows.values())))


def class_names(labels: Path) -> list[list[str]]:
    """Each ImageNet class's names: WordNet's synonyms, then the everyday words above."""
    lines = labels.read_text(encoding="utf-8").splitlines()
    lines = lines[1:] if lines[0] == "background" else lines
    names = [[name.strip() for name in line.split(",")] for line in lines]
    for first, last, words in EVERYDAY:
        for index in range(first, last + 1):
            names[index] += words
    unknown = set(ALSO) - {own for each in names for own in each}
    if unknown:
        raise SystemExit(f"{labels}: no class is called {', '.join(sorted(unknown))}")
    for each in names:
        each += [word for own in tuple(each) for word in ALSO.get(own, ()) if word not in each]
    return names
