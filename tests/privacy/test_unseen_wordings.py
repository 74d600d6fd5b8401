"""Recall and precision on texts whose wordings no rule has among its examples (F.24).

Written without looking at the rules: what people paste into a chat. Each probe names the value that must be gone.
"""

import base64
import json

import pytest

from feedback_pipeline.privacy.redaction import redact_text

JSON_INSIDE = json.dumps({"to": "petra.holm@nordwind.example", "note": "ring back"})
ENCODED = base64.b64encode(JSON_INSIDE.encode()).decode()
PROBES = {
    "SECRET": [
        (
            "curl -H 'Authorization: Bearer fbk_Zr8Kq2Lw5Nt7Xb3Vm9Hd4Jf6Pc1Sg0Ty' localhost",
            "fbk_Zr8Kq2Lw5Nt7Xb3Vm9Hd4Jf6Pc1Sg0Ty",
        ),
        ("the widget sends fbt_eyJ0IjoiYWNtZSIsImMiOlsicHIiLCI3Il19.Qw8eRt2yUi5oPa7sDf3g", "Qw8eRt2yUi5oPa7sDf3g"),
        ("together refuses tgp_v1_k3JdN8sWq2Zt5Xc7Vb9Lm4Hf6Gp1", "k3JdN8sWq2Zt5Xc7Vb9Lm4Hf6Gp1"),
        ("LANGSMITH=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", "4f8a1c9e2b7d4f6a8c1e3b5d7f9a2c4e"),
        ("use nvapi-J7kQ2mXw9Rt4Lp8Zs3Vb6Nc1Hd5Gf0Ty for the nim", "J7kQ2mXw9Rt4Lp8Zs3Vb6Nc1Hd5Gf0Ty"),
        ("why is csk-9m2k4x8w3r5t7v9b2n4h6j8d3f5g7k9p rejected?", "9m2k4x8w3r5t7v9b2n4h6j8d3f5g7k9p"),
        ("tavily: 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", "Xk8Jm2Qw7Rt4Lp9Zs3Vb6Nc1Hd5Gf0Ty"),
        ("shopify gave us 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 today", "7d2f9a4c6e8b1d3f5a7c9e2b4d6f8a1c"),
        ("newvendor_live_Hk4Jm8Qw2Rt7Lp3Zs9Vb5Nc1 stopped working", "Hk4Jm8Qw2Rt7Lp3Zs9Vb5Nc1"),
        ("vault said hvs.CAESIPk8Jm2Qw7Rt4Lp9Zs3Vb6Nc", "CAESIPk8Jm2Qw7Rt4Lp9Zs3Vb6Nc"),
        ("my cohere key btw: pK4jM8qW2rT7lP3zS9vB5nC1hD6gF0", "pK4jM8qW2rT7lP3zS9vB5nC1hD6gF0"),
        ("w&b token (dont share) 4a7c9e2b5d8f1a3c6e9b2d5f8a1c4e7b9d2f5a8c", "4a7c9e2b5d8f1a3c6e9b2d5f8a1c4e7b9d2f5a8c"),
        ("der Schlüssel für die Testumgebung: 8kQw2Rt7Lp3Zs9Vb5Nc1", "8kQw2Rt7Lp3Zs9Vb5Nc1"),
        ("вот токен 7Lp3Zs9Vb5Nc1Hd6Gf0Kj", "7Lp3Zs9Vb5Nc1Hd6Gf0Kj"),
        ("这是我的密钥：9Vb5Nc1Hd6Gf0Kj4Mq8W", "9Vb5Nc1Hd6Gf0Kj4Mq8W"),
        (
            f"payload={base64.b64encode(JSON_INSIDE.encode()).decode()} fails",
            base64.b64encode(JSON_INSIDE.encode()).decode(),
        ),
    ],
    "EMAIL": [
        ("petra.holm @ nordwind . de is mine", "petra.holm @ nordwind . de"),
        ("you can mail petra@ nordwind.com", "petra@ nordwind.com"),
        ("petra dot holm at nordwind dot com works too", "petra dot holm at nordwind dot com"),
        ("schreib an holm ät nordwind punkt de", "holm ät nordwind punkt de"),
        ("mi correo es petra arroba nordwind punto com", "petra arroba nordwind punto com"),
        ("petra.holm%40nordwind.example was in the link", "petra.holm%40nordwind.example"),
        ("petra&#64;nordwind&#46;example", "nordwind"),
        ("petra&commat;nordwind.example", "nordwind.example"),
        ('the log says {\\"mail\\":\\"petra@nordwind.example\\"}', "petra@nordwind.example"),
        ("\\u0070etra\\u0040nordwind.example", "nordwind.example"),
        ("holm [at] nordwind [dot] example", "holm [at] nordwind [dot] example"),
        ("petra (at) nordwind dot com", "petra (at) nordwind dot com"),
    ],
    "NATIONAL_ID": [
        ("passport number is F82K04XZ1, issued in Kiel", "F82K04XZ1"),
        ("mon passeport porte le 19CT83412", "19CT83412"),
        ("мой паспорт 4510 928374", "4510 928374"),
        ("パスポート番号はTK4829105です", "TK4829105"),
        ("Reisepass C9XV73L2M abgelaufen", "C9XV73L2M"),
        ("P<DEUHOLM<<PETRA<MARIA<<<<<<<<<<<<<<<<<<<<<<<", "HOLM<<PETRA"),
    ],
    "DEVICE_ID": [
        ("lost my phone, imei 35 391805 126478 3", "35 391805 126478 3"),
        ("IMEI=353918051264783", "353918051264783"),
        ("the IMEI (from the box) reads 353918-05-126478-3", "353918-05-126478-3"),
    ],
    "VEHICLE_ID": [
        ("car with vin number WAUZZZ8K9BA123456 won't pair", "WAUZZZ8K9BA123456"),
        ("1HGCM82633A004352 is on the windscreen", "1HGCM82633A004352"),
        ("FIN: wdb2030461f123456", "wdb2030461f123456"),
    ],
    "BIRTH_DATE": [
        ("she was born on 7 November 1988 in Turku", "7 November 1988"),
        ("dob 11/07/1988", "11/07/1988"),
        ("birthdate=1988-11-07", "1988-11-07"),
        ("Geburtsdatum des Kindes: 07.11.2015", "07.11.2015"),
        ("ma fille est née le 7 novembre 2015", "7 novembre 2015"),
        ("дата рождения 07.11.1988", "07.11.1988"),
        ("出生日期：1988年11月7日", "1988年11月7日"),
        ("nació el 7 de noviembre de 1988", "7 de noviembre de 1988"),
    ],
    "USER_NAME": [
        ("FileNotFoundError: /home/pholm/thesis/data.csv", "pholm"),
        ("C:\\Users\\Petra Holm\\AppData", "Petra"),
        ("open('/Users/petraholm/Downloads/x.pdf')", "petraholm"),
        ('"path": "C:\\\\Users\\\\pholm\\\\x"', "pholm"),
    ],
    "URL": [("https:\\/\\/petra:hunter2@intra.example\\/x", "hunter2")],
}
INNOCENT = [
    "the primary key column is customer_account_identifier",
    "press any key to continue_with_the_installation_process",
    "the token budget was 128000 and we used 93412",
    "a secret-santa-gift-exchange-organiser for teams",
    "key takeaways: 1234567",
    "the class CamelCaseTokenizerFactoryBean2 is deprecated",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "meet me at noon dot dot dot",
    "we looked at example.com and liked it",
    "he is at work. come by",
    "look at the dot product of a and b",
    "priced @ 12.50 . each",
    "the offer @ best buy. com on",
    "she works at amazon dot com",
    "arroba is a Spanish word",
    "@media (min-width: 600px)",
    "passport control took 45 minutes",
    "a passport photo of 35 x 45 mm",
    "the passport renewal form DS82",
    "my pass rate is 87.5",
    "born in 1988",
    "the company, founded 07.11.1988, is old",
    "version released 2024-11-07",
    "a birthday cake for 12",
    "VIN diesel has 17 films",
    "the fin of a shark is 20 cm",
    "IMEI numbers have 15 digits",
    "/home/user/app and /Users/Shared",
    "cd /home/runner/work/repo",
    "Base64 of nothing: aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0IG9mIG5vdGhpbmc=",
    "eyJhbGciOiJIUzI1NiJ9 is a header",
    "the path src/components/navigation/SidebarNavigationItem",
    "https://docs.example.org/guide/getting-started-with-the-api",
    "internationalization_and_localization_best_practices_guide",
    "100%40 is not an address",
    "C&A and H&M; 5 &lt; 7",
    "the model gpt-4o-2024-05-13 and claude-3-5-sonnet-20241022",
    "ISBN 978-3-16-148410-0",
    "commit 4f8a1c9e2b7d is broken",
    "550e8400-e29b-41d4-a716-446655440000",
    "abcdefghijklmnopqrstuvwxyz1234567890",
    "AAAAAAAAAAAAAAAAAAAAAAAA1111",
    "my-very-long-kebab-case-identifier-for-tests-2024",
    "the key is a b c d e f g",
    "serial 12",
    "document 7 of 9",
    "R2D2 and C3PO are tokens",
    "max_new_tokens=4096, temperature=0.7",
    "token_type_ids and attention_mask",
    "KeyError: 'classification_report_weighted_avg'",
]
MIN_RECALL, MAX_MASKED = 0.95, 1 / 15


def test_recall_by_type() -> None:
    missed = {
        kind: [text for text, value in probes if value in redact_text(text)[0]] for kind, probes in PROBES.items()
    }
    total, lost = sum(map(len, PROBES.values())), [text for texts in missed.values() for text in texts]
    assert len(lost) <= (1 - MIN_RECALL) * total, lost


@pytest.mark.parametrize("kind", [kind for kind in PROBES if kind != "SECRET"])
def test_most_are_called_what_they_are(kind: str) -> None:
    named = [kind in redact_text(text)[1] for text, _ in PROBES[kind]]
    assert sum(named) >= 0.75 * len(named)


def test_precision() -> None:
    masked = [text for text in INNOCENT if redact_text(text)[0] != text]
    assert len(masked) <= MAX_MASKED * len(INNOCENT), masked
