"""The events of DraftGenie, by routing key. Notes for people: no image holds this file."""

DRAFT_CREATED = "draft.created"  # draft-service: {"draft_id"}
NOTE_GENERATED = "dfn.generated"  # rag-service: {"dfn_id", "draft", "text"}; evaluation-service listens
