"""Texts in twelve scripts, of 3 to 10,000 characters, that nobody else would write."""

from random import Random

WORDS = {
    "Latin": "teekanne großmutter gestohlen winter straße über café naïve",
    "capitals": "ÜBERRASCHUNG ÇOCUKLAR ŁÓDŹ ÑANDÚ GRÜSSE ÅNGSTRÖM ÉCOLE ŠKODA",
    "Cyrillic": "БАБУШКА чайник украли Зима Ольга море ЙОД ёлка",
    "Greek": "ΓΙΑΓΙΆ τσαγιέρα ΧΕΙΜΏΝΑΣ θάλασσα κλέφτης ΟΔΟΣ Σίσυφος",
    "Arabic": "جدتي إبريق الشاي سُرق الشتاء البحر مدينة",
    "Hebrew": "סבתא קומקום נגנב חורף ים עיר ירושלים",
    "Devanagari": "दादी चायदानी चोरी सर्दी समुद्र शहर कहानी",
    "Thai": "ยาย กาน้ำชา ถูกขโมย ฤดูหนาว ทะเล เมือง เรื่อง",
    "Chinese": "祖母、 的茶壶。 去年 冬天 被偷 了 海边 城市 故事",
    "Japanese": "祖母の、 ティーポット。 去年の 冬に 盗まれました 海辺の 町 物語",
    "Korean": "할머니 찻주전자 지난겨울 도둑 바다 도시 이야기",
    "Georgian": "ბებია ჩაიდანი მოპარეს ზამთარი ზღვა ქალაქი ამბავი",
}
LENGTHS = (3, 12, 40, 400, 10_000)


def text(script: str, length: int) -> str:
    """A text in a script with exactly so many characters; the same every time."""
    random = Random(f"{script} {length}")
    words = WORDS[script].split()
    said = ""
    while len(said) < length:
        between = ("", "", " ", "、") if script in ("Chinese", "Japanese") else (" ",)
        said += random.choice(words) + random.choice(between)
        # what makes long texts differ from each other
        said += random.choice(("", "", "", f"{random.randint(100, 999)} "))
    return said[: length - 1] + words[0][0]


def texts() -> dict[str, str]:
    """Every script at every length, by name."""
    return {f"{script} {length}": text(script, length) for script in WORDS for length in LENGTHS}
