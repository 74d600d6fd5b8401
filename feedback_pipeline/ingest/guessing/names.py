"""What columns are called in people's tables, and how times are written there."""

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "feedback_id", "vote_id", "annotation_id", "score_id", "response_id", "respondent_id", "review_id",
           "row_id", "question_id", "uuid", "idx", "key", "index"),
    "user": ("user_id", "user", "voter", "worker", "rater", "annotator", "author_user_id", "author", "username", "who",
             "by", "customer", "agent", "employee", "respondent", "completed_by", "created_by", "source_id", "judge",
             "email", "person", "member", "requester", "reviewer", "submitter",
              "kunde", "nutzer", "benutzer", "client", "utilisateur", "cliente", "usuario"),
    "session": ("session_id", "session"),
    "occurred_at": ("occurred_at", "voted_at", "submitted_at", "feedback_at", "created_at", "timestamp", "created",
                    "create_time", "at", "time", "ts", "tstamp", "datetime", "date", "day", "submitted", "when",
                    "updated_at",
                    "start_time", "request_time", "zeitpunkt", "datum", "zeit", "erstellt", "fecha", "heure"),
    "thumb": ("thumb", "thumbs", "thumbs_up", "vote", "rating", "feedback", "helpful", "useful", "liked", "like",
              "reaction", "label", "score", "verdict", "sentiment", "satisfied", "correct", "value", "rate", "good",
              "v", "result", "choices", "choice", "urteil", "daumen", "hilfreich", "avis", "utile", "útil"),
    "stars": ("stars", "star", "rating", "score", "grade", "csat", "quality", "overall", "satisfaction", "value",
              "bewertung", "sterne", "punkte", "étoiles", "estrellas"),
    "comment": ("comment", "comments", "remark", "remarks", "note", "notes", "feedback_text", "rationale",
                "explanation", "reason", "why", "wrong", "improve", "improvement", "free_text", "feedback", "message",
                "bemerkung", "kommentar", "anmerkung", "commentaire", "comentario"),
    "correction": ("correction", "corrected_answer", "corrected", "better_answer", "expected_output",
                   "expected_response", "expected", "ideal", "edited", "demonstration", "gold", "ground_truth"),
    "reasons": ("reasons", "reason_codes", "categories", "issues", "feedback_tags", "reason"),
    "prompt": ("prompt", "question", "query", "instruction", "user_message", "user_input", "input_text", "request",
               "q", "input", "inputs", "ask", "asked", "frage", "pregunta"),
    "output": ("output", "answer", "response", "completion", "assistant_response", "output_text", "reply", "a",
               "generated", "prediction", "assistant", "bot",
               "answered", "outputs", "text", "content", "antwort", "réponse", "respuesta"),
    "messages": ("messages", "conversation", "conversations", "chat", "history", "dialogue", "dialog", "msgs", "turns",
                 "input_messages", "prompt", "input"),
    "model": ("model", "model_name", "model_id", "engine", "llm", "provided_model_name", "deployment",
              "modell", "modèle", "modelo"),
    "prompt_version": ("prompt_version", "prompt_name", "template_version", "prompt_template"),
    "conversation_id": ("conversation_id", "chat_id", "thread_id", "dialog_id", "conversation"),
    "request_id": ("request_id", "trace_id", "run_id", "inference_id", "generation_id"),
    "message_id": ("message_id", "msg_id"),
    "language": ("language", "lang", "locale", "sprache", "langue", "idioma"),
    "project": ("project", "product", "app", "application", "feature"),
    "intent": ("intent", "topic", "category", "task", "use_case"),
    "latency_ms": ("latency_ms", "duration_ms", "latency", "lat"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cost_usd": ("cost_usd", "total_cost", "cost"),
    "tags": ("tags",),
}  # fmt: skip
"""What a column is called that holds a field, the likeliest first."""

SIDES = (
    ("a", "b"), ("left", "right"), ("1", "2"), ("x", "y"), ("chosen", "rejected"), ("0", "1"), ("first", "second"),
    ("accepted", "rejected"), ("preferred", "dispreferred"), ("better", "worse"),
)  # fmt: skip
"""How the two answers of a pair are told apart in names of columns."""

WINNER_NAMES = ("winner", "preference", "preferred", "choice", "vote", "label", "better", "result", "w", "verdict")
TIME_FORMATS = (
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y",
    "%b %d, %Y, %I:%M %p", "%b %d, %Y %H:%M", "%b %d, %Y", "%B %d, %Y", "%d %b %Y %H:%M", "%d %b %Y", "%d %B %Y",
)  # fmt: skip
